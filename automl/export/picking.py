"""Which member of a front is meant: ``knee``, ``best``, ``TRIAL`` or ``TRIAL:PRECISION``, within further limits."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from automl.errors import UserError
from automl.front.empty_front import why_empty
from automl.front.objectives import parse_limit
from automl.front.pareto_front import Member, ParetoFront, best, keeps, knee, require_metric, where
from automl.run import Run
from trials.compress import PRECISIONS
from trials.records import Limit

_TRIAL = re.compile(r"(?P<trial>\d+)(:(?P<precision>\w+))?")


def pick_member(run: Run, pick: str, limits: Sequence[str | Limit] = ()) -> Member:
    """Find the member that is asked for.

    Args:
        run: A search, finished or not.
        pick: ``knee``, ``best`` (of the task's first metric, on validation), ``TRIAL`` or ``TRIAL:PRECISION``. Of a
            trial with several precisions on the front, the first on the front is taken: the best in the first
            objective.
        limits: Further limits that it must keep, such as ``latency_ms <= 2``.

    Raises:
        UserError: The front is empty, no member keeps the limits, or ``pick`` names none of them.
    """
    if not run.front.members:
        raise UserError(f"its front is empty: {why_empty(run)}", place=str(run.folder))
    narrowed = _narrow(run, [_limit(limit, run.front) for limit in limits])
    if pick == "knee":
        return knee(narrowed.front)
    if pick == "best":
        return best(narrowed.front, run.primary_metric, higher_is_better=run.higher_is_better(run.primary_metric))
    asked = _TRIAL.fullmatch(pick)
    if asked is None:
        raise UserError(
            f"expected knee, best, TRIAL or TRIAL:PRECISION, got {pick!r}; members of the front are "
            f"{', '.join(names(run.front.members))}",
            place="--pick",
        )
    return _of_trial(run, narrowed, trial=int(asked["trial"]), precision=asked["precision"])


def names(members: Sequence[Member]) -> list[str]:
    """Name members as ``--pick`` takes them, by trial."""
    return [f"{m.trial}:{m.precision}" for m in sorted(members, key=lambda m: (m.trial, m.precision))]


def _of_trial(run: Run, narrowed: Run, *, trial: int, precision: str | None) -> Member:
    if precision is not None and precision not in PRECISIONS:
        raise UserError(
            f"unknown precision {precision!r}; precisions are {', '.join(sorted(PRECISIONS))}", place="--pick"
        )

    def asked_for(members: Sequence[Member]) -> list[Member]:
        return [m for m in members if m.trial == trial and precision in (None, m.precision)]

    if found := asked_for(narrowed.front.members):
        return found[0]
    there = f"members are {', '.join(names(narrowed.front.members))}"
    name = f"trial {trial}" if precision is None else f"trial {trial} in {precision}"
    if asked_for(run.front.members):
        raise UserError(f"{name} does not keep what --where asks for; {there}", place="--pick")
    if precisions := [m.precision for m in run.front.members if m.trial == trial]:
        raise UserError(
            f"trial {trial} stands on the front in {' and '.join(precisions)} only; pick it so, its other precisions "
            "are exported with it",
            place="--pick",
        )
    if trial not in {finished.trial.number for finished in run.trials}:
        raise UserError(f"the run has no finished trial {trial}; {there}", place="--pick")
    raise UserError(f"{name} is not on the front, and files of members alone are kept; {there}", place="--pick")


def _limit(limit: str | Limit, front: ParetoFront) -> Limit:
    if isinstance(limit, Limit):
        return limit
    try:
        # First of all, since how to write a limit is of no use on a metric that is not there.
        if metric := re.split("[<>=!]", limit)[0].strip():
            require_metric(front, metric)
        return parse_limit(limit)
    except ValueError as error:
        raise UserError(str(error), place="--where") from error


def _narrow(run: Run, limits: Sequence[Limit]) -> Run:
    """Keep the members that keep the limits, of which there must be one."""
    if not limits:
        return run
    if read_at_last := sorted({limit.metric for limit in limits if limit.metric.startswith("test_")}):
        raise UserError(
            f"{', '.join(read_at_last)} cannot choose a student: chosen by its test scores, it would look better than "
            "it is; validation chooses and test reports, so name "
            + ", ".join(metric.removeprefix("test_") for metric in read_at_last),
            place="--where",
        )
    try:
        front = where(run.front, limits)
    except ValueError as error:
        raise UserError(str(error), place="--where") from error
    if not front.members:
        raise UserError("\n  ".join(["no member of the front keeps", *_nearest(run, limits)]), place="--where")
    return replace(run, front=front)


def _nearest(run: Run, limits: Sequence[Limit]) -> list[str]:
    """Say of each limit how near the members come that keep all others."""
    lines = []
    for limit in limits:
        others = [other for other in limits if other is not limit]
        rest = [m for m in run.front.members if keeps(m.metrics, others) and limit.metric in m.metrics]
        if not rest:
            continue
        nearest: Callable[..., Member] = min if limit.at_most else max
        member = nearest(rest, key=lambda m, metric=limit.metric: m.metrics[metric])
        among = " of those that keep the others" if others else ""
        lines.append(
            f"{limit}: the nearest{among} is {member.trial}:{member.precision} with {limit.metric} "
            f"{member.metrics[limit.metric]:.4g}"
        )
    return lines or [f"all of {', '.join(map(str, limits))}, whichever one of them is left out"]
