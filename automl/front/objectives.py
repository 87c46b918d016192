"""What a search optimises, and the one place where signs are turned.

Shape letters: M = candidates, D = objectives.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trials.records import Limit

_LIMIT = re.compile(r"\s*(?P<metric>[^<>=!]*[^<>=!\s])\s*(?P<sign><=|>=)\s*(?P<value>[^<>=!\s]+)\s*")


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A metric, its direction, and the range over which the hypervolume measures it.

    Args:
        metric: Name, as in ``Candidate.metrics``.
        higher_is_better: Its direction.
        worst: The reference of the hypervolume in the metric's unit: the limit where one is given, the chance level of
            a task's metric, else the highest cost that the space can reach.
        best: The other end: what no model can exceed, or the lowest cost that the space can reach.
        log: Whether the metric counts by its logarithm, as size and latency do.
        chance: What a model that knows nothing reaches, for a task's metric; None for a cost.
    """

    metric: str
    higher_is_better: bool
    worst: float
    best: float
    log: bool = False
    chance: float | None = None

    @property
    def floor(self) -> float:
        """What is told of a student that was never trained."""
        return self.worst if self.chance is None else self.chance

    def __post_init__(self) -> None:
        """Reject a range that is empty or runs the wrong way."""
        if not (math.isfinite(self.worst) and math.isfinite(self.best)):
            raise ValueError(f"range of {self.metric!r} must be finite, got {self.worst} to {self.best}")
        if self.worst == self.best or (self.worst < self.best) != self.higher_is_better:
            raise ValueError(f"range of {self.metric!r} runs the wrong way: worst {self.worst}, best {self.best}")
        if self.log and min(self.worst, self.best) <= 0:
            raise ValueError(f"range of {self.metric!r} must lie above 0 for a logarithm, got {self}")

    def loss(self, value: float) -> float:
        """Turn a natural value into a loss: 0 at ``best``, 1 at ``worst``, lower is better, not clipped."""
        if self.log:
            worst, best = math.log(self.worst), math.log(self.best)
            # What is no finite number stays none: a clamp would make the best latency of minus infinity.
            value = math.log(max(value, 1e-300)) if math.isfinite(value) else value
        else:
            worst, best = self.worst, self.best
        return (value - best) / (worst - best)

    def losses(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn natural values, all finite, into losses."""
        if self.log:
            values = np.log(np.maximum(values, 1e-300))
        worst, best = (math.log(self.worst), math.log(self.best)) if self.log else (self.worst, self.best)
        return np.asarray((values - best) / (worst - best))


def to_losses(candidates: Iterable[Mapping[str, float]], objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """Turn natural values of candidates into losses, all to be minimised.

    Args:
        candidates: Metrics of each, by name; those of the objectives are read.
        objectives: In the order of the columns.

    Returns:
        ``losses_MD``; NaN where the metric is missing or not a number.
    """
    rows = [
        [objective.loss(metrics.get(objective.metric, math.nan)) for objective in objectives] for metrics in candidates
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, len(objectives))


def parse_limit(text: str) -> Limit:
    """Read a limit as config and command line write it: ``latency_ms <= 2``.

    Args:
        text: A metric, ``<=`` or ``>=``, and a number in the metric's own unit.

    Raises:
        ValueError: It is not that; the message says what is wrong and what to write.
    """
    expected = f"a limit reads 'latency_ms <= 2' or 'accuracy >= 0.9', got {text!r}"
    match = _LIMIT.fullmatch(text)
    if match is None:
        if re.search(r"(?<![<>=!])[<>](?!=)", text):
            raise ValueError(f"{expected}; write <= for < and >= for >")
        raise ValueError(f"{expected}; it needs one metric, one of <= and >=, and one number, in this order")
    try:
        value = float(match["value"])
    except ValueError as error:
        raise ValueError(
            f"{expected}; {match['value']!r} is not a number (no unit stands behind it: the metric's name carries it)"
        ) from error
    if not math.isfinite(value):
        raise ValueError(f"{expected}; the bound must be finite")
    return Limit(metric=match["metric"], at_most=match["sign"] == "<=", value=value)
