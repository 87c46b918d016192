"""Why a front is empty, how near students came, and what to do."""

from collections.abc import Callable, Mapping

from automl.commands_to_type import typed
from automl.front import keeps
from automl.numbers import counted
from automl.run import Run
from automl.standing import members_of
from trials.records import Limit, Outcome


def why_empty(run: Run) -> str:
    """Say why nothing stands on the front of a run, and what to do about it.

    Args:
        run: Without a member.

    Returns:
        A line or several, without a full stop.
    """
    failed = [finished for finished in run.trials if finished.result.error]
    if not run.trials:
        return "no trial has ended yet"
    if len(failed) == len(run.trials):
        last_line = failed[-1].result.error.strip().rsplit("\n", 1)[-1]
        return f"every trial failed; the last one with: {last_line}"
    if not run.limits:
        return "no student was measured yet"
    members = [member for finished in run.trials for member in members_of(finished)]
    if run.finished and (lost := sorted({member.trial for member in members if keeps(member.metrics, run.limits)})):
        trials = f"{'trial' if len(lost) == 1 else 'trials'} {', '.join(map(str, lost))}"
        return f"students that kept the limits beside other work ({trials}) do not alone, or their files are gone"
    trained = run.count(Outcome.TRAINED)
    lines = [f"no student keeps the limits ({', '.join(map(str, run.limits))}); {counted(trained, 'student')} trained"]
    lines += [text for limit in run.limits if (text := _nearest(run, limit))]
    if trained:
        again = typed("automl", "search", "CONFIG", "--resume")
        remedy = f"loosen limits in the config and type `{again}`: what was trained counts on"
    else:
        remedy = "every student was refused before training: loosen limits and search with --resume"
    return "\n  ".join([*lines, f"{remedy}; or widen the space, under another name"])


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
    return f"{limit}: the nearest student{among} has {limit.metric} {metrics[limit.metric]:.4g} (trial {number})"
