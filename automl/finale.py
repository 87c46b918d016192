"""The end of a search: the front measured once more, with nothing running beside it."""

from pathlib import Path

from automl import stored
from automl.executor import Executor, Share
from automl.front import Member
from automl.ledger import Ledger
from automl.nodes import judge_on_node, measure_on_node
from automl.progress import Progress
from automl.run import FinalMeasurement
from automl.standing import Standing
from automl.students import Students
from trials.compress import PRECISIONS

FINAL = "final:"
"""Prefix of the facts in the study that hold final measurements: ``final:DIGEST:PRECISION``."""


def measure_front(
    ledger: Ledger,
    *,
    standing: Standing,
    executor: Executor,
    setting: object,
    students: Students,
    progress: Progress,
) -> None:
    """Measure all that may stand on the front, one at a time, then judge the members on the test split.

    What was measured before, as by a search that was resumed, is not measured again.

    Args:
        ledger: Takes the measurements.
        standing: Trials that ended; it is settled.
        executor: Its measuring device is used; nothing else may run.
        setting: As the trials got it.
        students: Files of the contenders; those that are no longer worth keeping in the end are removed.
        progress: Is told.
    """
    gone: set[Path] = set()
    while waiting := [(m, file) for m in standing.unsettled() if (file := _graph_file(students, m)) not in gone]:
        progress.say(f"measuring {len(waiting)} candidates for the front alone")
        for member, file in waiting:
            try:
                graph = file.read_bytes()
            except FileNotFoundError:  # Removed by hand; only what is measured alone can stand on the front.
                progress.say(
                    f"{file} is gone, so that trial {member.trial} cannot be measured alone and leaves the front"
                )
                gone.add(file)
                continue
            share = Share(measuring=True)
            task = executor.submit(measure_on_node, graph, setting, share=share, name=f"measure-{member.digest}")
            (latency,) = executor.run_all([task])
            # It may be slower than it seemed, and others that seemed beaten may contend: hence the next round.
            _keep(ledger, standing, FinalMeasurement(digest=member.digest, precision=member.precision, latency=latency))
    _judge_members(ledger, standing=standing, executor=executor, setting=setting, students=students)
    ledger.remember("finished", True)
    students.prune(standing.worth_keeping())


def _judge_members(
    ledger: Ledger, *, standing: Standing, executor: Executor, setting: object, students: Students
) -> None:
    """Read the test split, once for each member."""
    members = [
        member
        for member in standing.front(settled=True).members
        if not any(name.startswith("test_") for name in member.metrics) and _graph_file(students, member).exists()
    ]
    tasks = [
        executor.submit(judge_on_node, _graph_file(students, m).read_bytes(), setting, share=Share(), name="test")
        for m in members
    ]
    for member, metrics in zip(members, executor.run_all(tasks), strict=True):
        _keep(
            ledger,
            standing,
            FinalMeasurement(digest=member.digest, precision=member.precision, latency=member.latency, metrics=metrics),
        )


def _keep(ledger: Ledger, standing: Standing, measured: FinalMeasurement) -> None:
    record = stored.final.dump_python(measured, mode="json")
    ledger.remember(f"{FINAL}{measured.digest}:{measured.precision}", record)
    standing.settle(measured)


def _graph_file(students: Students, member: Member) -> Path:
    return students.folder(member.digest) / PRECISIONS[member.precision].file_name


def final_measurements(ledger: Ledger) -> list[FinalMeasurement]:
    """Read back what was measured alone."""
    return [stored.final.validate_python(record) for _, record in ledger.recall_all(FINAL)]
