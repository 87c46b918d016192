"""Every candidate of a run as a point to be drawn, with what marks it."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from automl.front.latency_ties import latency_ties
from automl.front.pareto_front import Member, best, knee
from automl.run import Run
from automl.searching.standing import members_of
from search_spaces import Value
from trials.records import METRICS_OF_COST, Latency

OTHER = "not on the front"
OTHER_PROVISIONAL = "not on the front, latency beside other trials"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A candidate as report and pictures show it.

    Args:
        trial: Number of its trial.
        digest: Of the trained student.
        precision: ``float32`` or ``int8``.
        metrics: Natural values by name.
        latency: How its latency was measured.
        parity_max_abs_difference: As in ``Candidate``.
        agreement_share: As in ``Candidate``.
        values: The choices of its trial, by name.
        marks: Why it stands out: ``knee``, ``best``; empty for most.
        tied_with: Trial and precision of the member, as good in all else, whose latency its own cannot be told from.
    """

    trial: int
    digest: str
    precision: str
    metrics: Mapping[str, float]
    latency: Latency
    parity_max_abs_difference: float | None
    agreement_share: float | None
    values: Mapping[str, Value]
    marks: tuple[str, ...] = ()
    tied_with: str = ""

    @property
    def anchor(self) -> str:
        """Name of its row on the page."""
        return f"member-{self.trial}-{self.precision}"


def front_points(run: Run) -> list[Point]:
    """Give the members of the front in their order, knee and best marked."""
    if not run.front.members:
        return []
    metric = run.primary_metric
    marked = {"knee": knee(run.front)}
    if any(metric in member.metrics for member in run.front.members):
        marked["best"] = best(run.front, metric, higher_is_better=run.higher_is_better(metric))
    values = {finished.trial.number: finished.values for finished in run.trials}
    ties = {(one.trial, one.precision): f"{two.trial} {two.precision}" for one, two in latency_ties(run.front)}
    return [
        _point(
            member,
            values.get(member.trial, {}),
            marks=tuple(name for name, which in marked.items() if which is member),
            tied_with=ties.get((member.trial, member.precision), ""),
        )
        for member in run.front.members
    ]


def other_points(run: Run) -> Iterator[Point]:
    """Give the candidates of trained students that are not on the front, as they were measured last."""
    on_front = {(member.trial, member.precision) for member in run.front.members}
    alone = {(measured.digest, measured.precision): measured for measured in run.measured}
    for finished in run.trials:
        for member in members_of(finished):
            if (member.trial, member.precision) not in on_front:
                measured = alone.get((member.digest, member.precision))
                yield _point(member if measured is None else measured.applied(member), finished.values)


def _point(member: Member, values: Mapping[str, Value], *, marks: tuple[str, ...] = (), tied_with: str = "") -> Point:
    return Point(
        trial=member.trial,
        digest=member.digest,
        precision=member.precision,
        metrics=member.metrics,
        latency=member.latency,
        parity_max_abs_difference=member.parity_max_abs_difference,
        agreement_share=member.agreement_share,
        values=values,
        marks=marks,
        tied_with=tied_with,
    )


def by_comparability(points: Sequence[Point], run: Run, cost: str) -> dict[str, list[Point]]:
    """Part points beside the front by whether their cost compares with that of its members.

    Latency beside other trials does not, once the members' was measured alone: such a point can seem to beat them.

    Returns:
        Points by what a legend says of them; a part without a point is left out.
    """
    parts: dict[str, list[Point]] = {OTHER: [], OTHER_PROVISIONAL: []}
    for point in points:
        apart = run.finished and cost == "latency_ms" and point.latency.provisional
        parts[OTHER_PROVISIONAL if apart else OTHER].append(point)
    return {name: part for name, part in parts.items() if part}


def quality_metric(run: Run) -> str:
    """Name the metric of the task that pictures show: the primary one, unless only another is an objective."""
    tasks = [each.metric for each in run.front.objectives if each.metric not in METRICS_OF_COST]
    return run.primary_metric if run.primary_metric in tasks or not tasks else tasks[0]


def cost_metrics(run: Run) -> list[str]:
    """Name the costs that pictures show it against: latency and size, then what else is an objective."""
    objectives = [each.metric for each in run.front.objectives if each.metric in METRICS_OF_COST]
    return list(dict.fromkeys(["latency_ms", "size_bytes", *objectives]))


def drawable(points: Iterable[Point], quality: str, cost: str) -> list[Point]:
    """Keep the points that have a place where the axis of the cost is logarithmic."""
    return [
        point
        for point in points
        if math.isfinite(point.metrics.get(quality, math.nan)) and 0 < point.metrics.get(cost, math.nan) < math.inf
    ]


def edge(points: Sequence[Point], quality: str, cost: str, *, rising: bool) -> list[Point]:
    """Give the points that nothing beats in these two metrics alone, the cheapest first.

    Args:
        points: Drawable ones.
        quality: The metric upwards.
        cost: The metric to the right; less is better.
        rising: Whether more of the quality is better.
    """
    sign = 1 if rising else -1
    found: list[Point] = []
    for point in sorted(points, key=lambda each: (each.metrics[cost], -sign * each.metrics[quality])):
        if not found or sign * point.metrics[quality] > sign * found[-1].metrics[quality]:
            found.append(point)
    return found
