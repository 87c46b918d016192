"""Random students of a space: what they cost, and which of them keep the limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from automl.preparation.prepare import Prepared
from automl.searching.counted import draw_counted
from search_spaces import Cost, size
from trials.records import Candidate, Limit, Trial

_KNOWN_WITHOUT_MEASURING = ("params", "macs", "size_bytes")


@dataclass(frozen=True, kw_only=True, eq=False)
class Sampled:
    """Random students with random recipes.

    Args:
        kept: Those that keep the limits on parameters, MACs and bytes; all of them where none does.
        costs: Of each architecture, those that are not kept too, by digest.
        share_kept: Of all that were drawn.
        num_choices: Of architecture and recipe together.
        num_points: Of the architecture alone; None where they cannot be counted.
        unbuildable: Why others cannot be built; empty where all can.
    """

    kept: tuple[Trial, ...]
    costs: Mapping[str, Cost]
    share_kept: float
    num_choices: int
    num_points: int | None
    unbuildable: str = ""

    def macs(self, trial: Trial) -> int:
        """MACs of one of them."""
        return self.costs[trial.spec.architecture_digest].macs

    def at_quantile(self, quantile: float) -> Trial:
        """Give the one of those kept at a quantile of their MACs."""
        order = sorted(self.kept, key=self.macs)
        return order[round(quantile * (len(order) - 1))]


def draw(prepared: Prepared, measured: Mapping[str, tuple[Candidate, ...]]) -> Sampled:
    """Draw students at random and see which keep the limits, as far as that is known without measuring them.

    Args:
        prepared: The search.
        measured: Costs of the ends of the space, by precision, by digest of the architecture; from them the bytes of
            others are interpolated by their parameters.
    """
    drawn, costs, unbuildable = draw_counted(prepared)
    trials = [prepared.trial(number, values) for number, values in enumerate(drawn)]
    limits = limits_known_by_cost(prepared.config.limits)
    kept = [trial for trial in trials if _keeps(costs[trial.spec.architecture_digest], limits, list(measured.values()))]
    fixed = prepared.config.student.fixed_values(prepared.space) is not None
    return Sampled(
        kept=tuple(kept or trials),
        costs=costs,
        share_kept=len(kept) / len(trials),
        num_choices=len(prepared.choices),
        unbuildable=unbuildable,
        num_points=1 if fixed else size(prepared.space.choices),
    )


def limits_known_by_cost(limits: Sequence[Limit]) -> list[Limit]:
    """Give the limits that a student can be judged by without measuring or training it."""
    return [limit for limit in limits if limit.metric in _KNOWN_WITHOUT_MEASURING]


def _keeps(cost: Cost, limits: Sequence[Limit], measured: Sequence[tuple[Candidate, ...]]) -> bool:
    """Tell whether a student keeps the limits in some precision, as the gate asks."""
    precisions = zip(*measured, strict=True)
    return any(
        all(
            limit.excess({"params": cost.params, "macs": cost.macs, "size_bytes": _bytes(cost, candidates)}) <= 0
            for limit in limits
        )
        for candidates in precisions
    )


def _bytes(cost: Cost, candidates: Sequence[Candidate]) -> float:
    """Interpolate the bytes of a graph between measured ones of the same precision."""
    known = sorted((candidate.metrics["params"], candidate.metrics["size_bytes"]) for candidate in candidates)
    params, size_bytes = zip(*known, strict=True)
    return float(np.interp(cost.params, params, size_bytes))
