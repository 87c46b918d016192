"""Whether a proxy has shown, in a search, that it foretells more than the number of parameters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from automl.proxies.agreement import BASELINE, Agreement, agreements
from automl.run import FinishedTrial
from trials.records import Outcome

JUDGED_FROM = 20
"""Trained students from which on a proxy is judged."""
JUDGED_EVERY = 10
"""Further trained students after which it is judged anew."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What a proxy shall foretell.

    Args:
        metric: Of the task.
        higher_is_better: Its direction.
    """

    metric: str
    higher_is_better: bool

    def of(self, finished: FinishedTrial) -> float:
        """Give the quality of a trained student, higher is better; NaN where it was not measured."""
        value = finished.result.candidates[0].metrics.get(self.metric, float("nan"))
        return value if self.higher_is_better else -value


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found of a proxy at one moment of a search.

    Args:
        proxy: Its name.
        metric: Of the task, which it shall foretell.
        students: Trained ones by then.
        agreement: Over those of them that have a score; None where too few have.
    """

    proxy: str
    metric: str
    students: int
    agreement: Agreement | None

    @property
    def in_use(self) -> bool:
        """Whether candidates are ordered by it from here on."""
        return self.agreement is not None and self.agreement.leads

    def sentence(self) -> str:
        """Say it for people."""
        if self.agreement is None:
            return f"the proxy {self.proxy} is off: too few of {self.students} trained students have its score"
        correlation, lead = self.agreement.correlation, self.agreement.lead
        found = (
            f"over {self.agreement.students} trained students its rank correlation with {self.metric} is "
            f"{correlation}, that of {BASELINE} is {correlation.value - lead.value:.2f}"
        )
        if self.in_use:
            return f"the proxy {self.proxy} orders candidates again: {found}"
        return f"the proxy {self.proxy} is off, since it is not shown to beat {BASELINE}: {found}"


class ProxyJudge:
    """Takes trials in the order in which they ended, and judges a proxy at certain counts of trained students.

    What it finds depends on these trials alone, so that a resumed search finds the same.

    Args:
        proxy: Its name.
        quality: What it shall foretell.
    """

    def __init__(self, proxy: str, quality: Quality) -> None:
        self._proxy = proxy
        self._quality = quality
        self._trained: dict[str, FinishedTrial] = {}
        self.verdicts: list[Verdict] = []

    @property
    def in_use(self) -> bool:
        """Whether candidates are ordered by the proxy: on trust at first, then as it was judged last."""
        return not self.verdicts or self.verdicts[-1].in_use

    def take(self, finished: FinishedTrial) -> Verdict | None:
        """Take a trial that ended.

        Returns:
            The verdict, where it was judged now and what follows from it has changed.
        """
        if finished.result.outcome is not Outcome.TRAINED or finished.result.digest in self._trained:
            return None
        self._trained[finished.result.digest] = finished
        count = len(self._trained)
        if count < JUDGED_FROM or (count - JUDGED_FROM) % JUDGED_EVERY:
            return None
        before = self.in_use
        found = {each.name: each for each in proxy_agreements(self._trained.values(), self._quality, [self._proxy])}
        self.verdicts.append(
            Verdict(
                proxy=self._proxy,
                metric=self._quality.metric,
                students=count,
                agreement=found.get(self._proxy),
            )
        )
        return self.verdicts[-1] if self.in_use != before else None


def proxy_agreements(
    trials: Iterable[FinishedTrial], quality: Quality, names: Sequence[str] | None = None
) -> list[Agreement]:
    """Compare the scores of trials with what became of them; each student counts once.

    Args:
        trials: In any order.
        quality: What scores shall foretell.
        names: Of the scores; None takes all that any trial has.

    Returns:
        One a score, the number of parameters first; none where fewer than three trained students have scores.
    """
    trained = {f.result.digest: f for f in trials if f.result.outcome is Outcome.TRAINED and f.proxies}
    ended = sorted(trained.values(), key=lambda finished: finished.trial.number)
    known = names if names is not None else dict.fromkeys(name for finished in ended for name in finished.proxies)
    ordered = dict.fromkeys([BASELINE, *known])
    scores = {name: np.array([finished.proxies.get(name, np.nan) for finished in ended]) for name in ordered}
    return agreements(scores, np.array([quality.of(finished) for finished in ended]))
