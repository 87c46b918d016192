"""Why a front is empty, how near students came, and what to do."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from automl.commands_to_type import typed
from automl.front.pareto_front import keeps
from automl.numbers import counted
from automl.run import Run
from automl.searching.standing import members_of
from trials.records import METRICS_OF_COST, Limit, Outcome


@dataclass(frozen=True, kw_only=True)
class EmptyFront:
    """Why a front has no members; as text, a line or several without a full stop.

    Args:
        reason: In a sentence that begins small.
        nearest: By limit that nothing kept, how near students came.
        remedy: What to do; empty where there is nothing to advise.
    """

    reason: str
    nearest: tuple[str, ...] = ()
    remedy: str = ""

    def __str__(self) -> str:
        """Give all of it as a message."""
        return "\n  ".join(filter(None, (self.reason, *self.nearest, self.remedy)))


def why_empty(run: Run) -> EmptyFront:
    """Say why nothing stands on the front of a run, and what to do about it.

    Args:
        run: Without a member.
    """
    failed = [finished for finished in run.trials if finished.result.error]
    if not run.trials:
        return EmptyFront(reason="no trial has ended yet")
    if len(failed) == len(run.trials):
        last_line = failed[-1].result.error.strip().rsplit("\n", 1)[-1]
        return EmptyFront(reason=f"every trial failed; the last one with: {last_line}")
    if not run.limits:
        return EmptyFront(reason="no student was measured yet")
    members = [member for finished in run.trials for member in members_of(finished)]
    if run.finished and (lost := sorted({member.trial for member in members if keeps(member.metrics, run.limits)})):
        trials = f"{'trial' if len(lost) == 1 else 'trials'} {', '.join(map(str, lost))}"
        return EmptyFront(
            reason=f"students that kept the limits beside other work ({trials}) do not alone, or their files are gone"
        )
    trained = run.count(Outcome.TRAINED)
    nearest = {limit.metric: text for limit in run.limits if (text := _nearest(run, limit))}
    limits = ", ".join(map(str, run.limits))
    return EmptyFront(
        reason=f"no student keeps the limits ({limits}); {counted(trained, 'student')} trained",
        nearest=tuple(nearest.values()),
        remedy=_remedy(nearest.keys() or {limit.metric for limit in run.limits}, trained=trained > 0),
    )


def _remedy(broken: Collection[str], *, trained: bool) -> str:
    """Say what to do about limits on some metrics."""
    if trained:
        again = typed("automl", "search", "CONFIG", "--resume")
        loosen = f"loosen limits in the config and type `{again}`: what was trained counts on"
    else:
        loosen = "every student was refused before training: loosen limits and search with --resume"
    others = []
    if any(metric in METRICS_OF_COST for metric in broken):
        others.append("give the space smaller choices")
    if not all(metric in METRICS_OF_COST for metric in broken):
        others.append("give the space larger choices or the recipe more epochs")
    return f"{loosen}; or, under another name, {', or '.join(others)}"


def _nearest(run: Run, limit: Limit) -> str:
    """Say how near students came to a limit that none kept together with the others."""
    others = [other for other in run.limits if other is not limit]
    tried: list[tuple[int, Mapping[str, float]]] = [
        (finished.trial.number, candidate.metrics)
        for finished in run.trials
        for candidate in finished.result.candidates
        if limit.metric in candidate.metrics
    ]
    among = ""
    if others and (keeping := [each for each in tried if keeps(each[1], others)]):
        tried, among = keeping, " of those that keep the others"
    if not tried or any(limit.excess(metrics) <= 0 for _, metrics in tried):
        return ""
    nearest: Callable[..., tuple[int, Mapping[str, float]]] = min if limit.at_most else max
    number, metrics = nearest(tried, key=lambda each: each[1][limit.metric])
    value = metrics[limit.metric]
    shown = f"{value:.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return f"{limit}: the nearest student{among} has {limit.metric} {shown} (trial {number})"
