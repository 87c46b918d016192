"""The Pareto front of candidates, and how one member is picked from it.

Shape letters: M = candidates, F = members of the front, D = objectives.
"""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import moocore
import numpy as np
from numpy.typing import NDArray

from automl.front.objectives import Objective, to_losses
from trials.records import Latency, Limit


@dataclass(frozen=True, kw_only=True)
class Member:
    """A candidate that may stand on the front.

    Args:
        trial: Number of its trial.
        digest: Of the trained student.
        precision: ``float32`` or ``int8``.
        metrics: Natural values by name, among them ``test_...`` once the search has ended; ``latency_ms`` is the
            median of ``latency``.
        latency: How its latency was measured; provisional while the search goes on.
        parity_max_abs_difference: As in ``Candidate``.
        agreement_share: As in ``Candidate``.
    """

    trial: int
    digest: str
    precision: str
    metrics: Mapping[str, float]
    latency: Latency
    parity_max_abs_difference: float | None = None
    agreement_share: float | None = None


@dataclass(frozen=True, kw_only=True)
class ParetoFront:
    """The candidates that nothing beats in every objective.

    Args:
        objectives: What was compared, in the order of the config.
        members: Sorted by the first objective, best first.
        hypervolume: Share of the reference box that the members dominate, 0 to 1.
    """

    objectives: tuple[Objective, ...]
    members: tuple[Member, ...]
    hypervolume: float


def pareto_front(members: Iterable[Member], objectives: Sequence[Objective], limits: Sequence[Limit]) -> ParetoFront:
    """Find the members that no other one beats: at least as good in every objective and better in one.

    A member with a value that is missing, infinite or not a number, or that breaks a limit, is left out. The same
    student in the same precision counts once: as it was measured alone, else as its lowest trial has it. Of different
    students with equal values in all objectives the one of the lowest trial stays, and within it the smallest file.

    Args:
        members: In any order; the front does not depend on it.
        objectives: At least one.
        limits: What a member must keep.

    Returns:
        The front; empty, with hypervolume 0, where nothing is left.
    """
    kept = [member for member in once(members).values() if keeps(member.metrics, limits)]
    kept.sort(key=_order)
    losses_MD = to_losses([member.metrics for member in kept], objectives)
    finite = np.flatnonzero(np.isfinite(losses_MD).all(axis=1))
    kept, losses_MD = [kept[row] for row in finite], losses_MD[finite]
    # Of equal rows moocore keeps the first, which after the sort above is the one of the lowest trial.
    index = np.flatnonzero(moocore.is_nondominated(losses_MD, keep_weakly=False)) if kept else np.zeros(0, np.intp)
    best_first = sorted(index, key=lambda row: (tuple(losses_MD[row]), _order(kept[row])))
    return ParetoFront(
        objectives=tuple(objectives),
        members=tuple(kept[row] for row in best_first),
        hypervolume=hypervolume(losses_MD[index]),
    )


def contenders(
    members: Iterable[Member], objectives: Sequence[Objective], limits: Sequence[Limit], *, latency_margin: float
) -> list[Member]:
    """Find the members that may turn out to stand on the front once their latency is measured alone.

    Latency measured beside other work is too high. A member is out only where another one beats it although its own
    latency is taken ``latency_margin`` lower and the other's as measured, which is the worst that the other can be.
    With no provisional latency these are the members of the front.

    Args:
        members: In any order.
        objectives: At least one.
        limits: What a member must keep, as measured or with the margin.
        latency_margin: Share by which a provisional latency may be too high, 0 to below 1.

    Returns:
        The contenders by trial, as they were given.

    Raises:
        ValueError: The margin is out of range.
    """
    if not 0 <= latency_margin < 1:
        raise ValueError(f"latency_margin is a share from 0 to below 1, got {latency_margin}")
    given = sorted(once(members).values(), key=_order)
    front = pareto_front(given, objectives, limits).members
    hopes = [sooner(member, latency_margin) for member in given]
    possible = [
        (member, hope)
        for member, hope in zip(given, hopes, strict=True)
        if keeps(hope.metrics, limits) or keeps(member.metrics, limits)
    ]
    front_FD = to_losses([member.metrics for member in front], objectives)
    hopes_MD = to_losses([hope.metrics for _, hope in possible], objectives)
    found = []
    for (member, _), hope_D in zip(possible, hopes_MD, strict=True):
        as_good_F = (front_FD <= hope_D).all(axis=1)
        better_F = as_good_F & (front_FD < hope_D).any(axis=1)
        tied_before = any(_order(front[row]) < _order(member) for row in np.flatnonzero(as_good_F))
        if np.isfinite(hope_D).all() and not better_F.any() and not tied_before:
            found.append(member)
    return found


def where(front: ParetoFront, limits: Sequence[Limit]) -> ParetoFront:
    """Narrow a front to the members that keep further limits; it may come out empty.

    Raises:
        ValueError: A limit is on a metric that no member has.
    """
    for limit in limits:
        if front.members:
            require_metric(front, limit.metric)
    return pareto_front(front.members, front.objectives, limits)


def knee(front: ParetoFront) -> Member:
    """Pick the compromise: the member nearest to the ideal point (Yu, 1973; Zeleny, 1973).

    https://doi.org/10.1287/mnsc.19.8.936

    Each objective's loss is first brought to 0 at the best and 1 at the worst that the front itself holds, by logarithm
    where the objective counts so. The ideal point, 0 in each, is then what no member reaches, and the distance is
    Euclidean (p = 2). The other usual knee, farthest from the line between the extremes (Das, 1999), is not taken: with
    three objectives the extremes need not span a plane, and on a front that bends outwards it picks an extreme.

    Args:
        front: At least one member; of equally near ones, as of any two that span it, the first is taken, which is the
            best in the first objective.

    Raises:
        ValueError: The front is empty.
    """
    members = _not_empty(front)
    losses_FD = to_losses([member.metrics for member in members], front.objectives)
    ideal_D, nadir_D = losses_FD.min(axis=0), losses_FD.max(axis=0)
    range_D = np.where(nadir_D > ideal_D, nadir_D - ideal_D, 1.0)
    distance_F = np.linalg.norm((losses_FD - ideal_D) / range_D, axis=1)
    # Rounded, so that distances which are equal on paper are equal here and the first one wins.
    return members[int(np.argmin(distance_F.round(12)))]


def best(front: ParetoFront, metric: str, *, higher_is_better: bool) -> Member:
    """Pick the member with the best value of one metric; of equal ones the first on the front.

    Raises:
        ValueError: The front is empty, or no member has the metric.
    """
    members = _not_empty(front)
    require_metric(front, metric)
    sign = -1.0 if higher_is_better else 1.0
    values = [sign * member.metrics.get(metric, math.nan) for member in members]
    return members[min(range(len(values)), key=lambda row: (math.isnan(values[row]), values[row]))]


def keeps(metrics: Mapping[str, float], limits: Sequence[Limit]) -> bool:
    """Tell whether a candidate keeps all limits; a value that is missing or not a number keeps none."""
    return all(limit.metric in metrics and limit.excess(metrics) <= 0 for limit in limits)


def hypervolume(losses_MD: NDArray[np.float64]) -> float:
    """Measure the share of the reference box that some points dominate.

    Args:
        losses_MD: Finite losses as ``to_losses`` gives them, in any order, dominated ones among them or not.

    Returns:
        0 to 1. A point that is no better than ``worst`` in some objective adds nothing; better than ``best`` counts as
        ``best``, where the box ends.
    """
    if not len(losses_MD):
        return 0.0
    return min(1.0, float(moocore.hypervolume(np.maximum(losses_MD, 0.0), ref=np.ones(losses_MD.shape[1]))))


def once(members: Iterable[Member]) -> dict[tuple[str, str], Member]:
    """Keep each student in each precision once, by (digest, precision): measured alone first, then by lowest trial."""
    found: dict[tuple[str, str], Member] = {}
    for member in members:
        key = (member.digest, member.precision)
        if key not in found or _trust(member) < _trust(found[key]):
            found[key] = member
    return found


def _trust(member: Member) -> tuple[bool, int, float]:
    """Sort measures of one student: alone before provisional, then by trial."""
    return member.latency.provisional, member.trial, member.latency.median_ms


def _order(member: Member) -> tuple[int, float, str, str]:
    """Sort members that nothing else tells apart: by trial, then by size, then by name."""
    return member.trial, member.metrics.get("size_bytes", math.inf), member.precision, member.digest


def sooner(member: Member, margin: float) -> Member:
    """Lower a provisional latency by the margin."""
    if not member.latency.provisional or "latency_ms" not in member.metrics:
        return member
    return replace(member, metrics={**member.metrics, "latency_ms": member.metrics["latency_ms"] * (1 - margin)})


def _not_empty(front: ParetoFront) -> tuple[Member, ...]:
    """Give the members, of which there must be one."""
    if not front.members:
        raise ValueError("the front is empty, so there is no member to pick: loosen the limits, or search longer")
    return front.members


def require_metric(front: ParetoFront, metric: str) -> None:
    """Make sure that some member has a metric.

    Raises:
        ValueError: None has; the message names those that there are.
    """
    known = sorted({name for member in front.members for name in member.metrics})
    if metric in known:
        return
    known = [name for name in known if not name.startswith("test_")]  # they report, and choose no student
    near = difflib.get_close_matches(metric, known, n=1)
    meant = f", did you mean {near[0]!r}?" if near else ";"
    of_classes = [name for name in known if "." in name]
    further = f", and one a class, such as {of_classes[0]!r}" if of_classes else ""
    shown = [name for name in known if "." not in name]
    raise ValueError(f"no member of the front has the metric {metric!r}{meant} there are {', '.join(shown)}{further}")
