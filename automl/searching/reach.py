"""The limits that a run holds to, and the range of each objective that follows from them and from what is possible."""

from collections.abc import Callable, Sequence

from automl.cluster.executor import Executor, Share
from automl.cluster.machine import describe_machine
from automl.errors import UserError
from automl.front.objectives import Objective
from automl.preparation.prepare import Prepared
from automl.run import FinishedTrial
from automl.samplers.limited import still_refused
from automl.searching.ranges import broken_limits, objectives_of, probes
from automl.study import stored
from automl.study.ledger import Ledger
from trials.records import Candidate, Limit, Outcome
from trials.run_trial import measure_untrained


def settle_objectives(
    prepared: Prepared, ledger: Ledger, executor: Executor, say: Callable[[str], None]
) -> tuple[Objective, ...]:
    """Give the objectives of a run, and write them down with its limits.

    The range of an objective stays while the limits do: the hypervolume must mean the same after a resume. With other
    limits it is made anew, from what was measured as the run began, and so is the hypervolume after every trial.

    Args:
        prepared: The config's limits are those from now on.
        ledger: Of the run; perhaps it holds to other limits yet.
        executor: Measures what the space can reach, once a run.
        say: Is told of what is measured and of limits that changed.

    Raises:
        UserError: No student keeps the limits; nothing was written then.
    """
    limits = prepared.config.limits
    kept, before = ledger.recall("objectives"), ledger.recall("limits")
    began = kept is not None and before is not None
    if began and stored.limits.validate_python(before) == limits:
        return stored.objectives.validate_python(kept)
    measured = _probed(prepared, ledger, executor, say)
    finished = ledger.finished()
    tried = [each.result.candidates for each in finished if each.result.candidates]
    if broken := broken_limits(limits, [*measured, *tried]):
        raise UserError("no student keeps\n  " + "\n  ".join(broken), place=prepared.config.place("limits"))
    objectives = objectives_of(prepared, measured)
    ledger.remember("finished", False)
    ledger.remember("primary_metric", prepared.task.metrics[0].name)
    ledger.remember("primary_higher_is_better", prepared.task.metrics[0].higher_is_better)
    ledger.remember("objectives", stored.objectives.dump_python(objectives, mode="json"))
    # The last, so that a run that was killed in between is settled anew.
    ledger.remember("limits", stored.limits.dump_python(limits, mode="json"))
    if began:
        say(_changed(stored.limits.validate_python(before), limits, finished))
    return objectives


def _probed(
    prepared: Prepared, ledger: Ledger, executor: Executor, say: Callable[[str], None]
) -> tuple[tuple[Candidate, ...], ...]:
    """Measure the ends of the space, once a run."""
    kept = ledger.recall("probes")
    if kept is not None:
        return stored.probes.validate_python(kept)
    say("measuring what the space can reach")
    setting = executor.share(prepared.setting)
    tasks = [
        executor.submit(measure_untrained, probe, setting, share=Share(), name="probe") for probe in probes(prepared)
    ]
    measured = tuple(executor.run_all(tasks))
    ledger.remember("machine", describe_machine(prepared.setting.latency))
    ledger.remember("probes", stored.probes.dump_python(measured, mode="json"))
    return measured


def _changed(before: Sequence[Limit], now: Sequence[Limit], finished: Sequence[FinishedTrial]) -> str:
    """Say what other limits mean for the trials that ended."""
    written = [", ".join(map(str, limits)) or "none" for limits in (before, now)]
    text = f"limits were {written[0]} and are {written[1]} from now on; front and hypervolume are made anew"
    refused = [each.result for each in finished if each.result.outcome is Outcome.INFEASIBLE]
    if freed := sum(not still_refused(result, now) for result in refused):
        text += (
            f"; {freed} of the trials that were refused before would be trained now: they stay as they are, and their "
            "students are trained if they are proposed again"
        )
    return text
