"""What it takes to order candidates by a proxy."""

import time

from automl.check.space import Sampled
from automl.config.running import Proxy
from automl.proxies.agreement import BASELINE
from automl.proxies.screening import REFERENCES
from trials.proxies import Scorer
from trials.run_trial import Setting

_QUANTILES = (0.1, 0.5, 0.9)


def proxy_price(section: Proxy | None, sampled: Sampled, setting: Setting, *, seed: int) -> tuple[float, float]:
    """Score a small, a middle and a large student.

    Args:
        section: The proxy of the config; None without one.
        sampled: Random students.
        setting: With answers of teachers where there are any.
        seed: Of the search.

    Returns:
        Seconds for each trial, and once for the students with which candidates are compared.
    """
    if section is None:
        return 0.0, 0.0
    scorer = Scorer(setting, seed=seed)
    trials = [sampled.at_quantile(quantile) for quantile in _QUANTILES]
    Scorer(setting, seed=seed)(trials[1], [BASELINE, section.name])  # The first one loads what torch needs.

    def seconds(*names: str) -> float:
        started = time.perf_counter()
        for trial in trials:
            scorer(trial, names)
        return (time.perf_counter() - started) / len(trials)

    chosen = seconds(BASELINE, section.name)
    followed = seconds(*section.followed) if section.followed else 0.0
    count = section.candidates if section.candidates > 1 else 0
    return max(count, 1) * chosen + followed, REFERENCES * chosen if count else 0.0
