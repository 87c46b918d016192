"""The end of a search: the front measured once more, with nothing running beside it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from automl.cluster.executor import Executor, Share
from automl.cluster.nodes import judge_on_node, measure_on_node
from automl.front.pareto_front import Member
from automl.numbers import counted
from automl.run import FinalMeasurement
from automl.searching.progress import Progress
from automl.searching.standing import Standing
from automl.searching.students import Students
from automl.study import stored
from automl.study.ledger import Ledger
from trials.compress import PRECISIONS
from trials.records import Latency

FINAL = "final:"
"""Prefix of the facts in the study that hold final measurements: ``final:DIGEST:PRECISION``."""

TEST = "test_"
"""Prefix of the metrics on the test split."""

PORTION = 64
"""Candidates that are measured together at most: a search that is stopped loses no more than these measurements."""
PORTION_BYTES = 500_000_000
"""Their graphs at most, which travel to the measuring device together; one that is larger goes alone."""


def measure_front(
    ledger: Ledger,
    *,
    standing: Standing,
    executor: Executor,
    setting: object,
    students: Students,
    progress: Progress,
) -> None:
    """Measure all that may stand on the front together, with nothing beside, then judge the members on the test split.

    What was measured before, as by a search that was resumed, is measured again only where it stands on the front and
    others are to be compared with it: latencies of two days differ by more than their intervals say.

    Args:
        ledger: Takes the measurements.
        standing: Trials that ended; it is settled.
        executor: Its measuring device is used; nothing else may run.
        setting: As the trials got it.
        students: Files of the contenders; those that are no longer worth keeping in the end are removed.
        progress: Is told.
    """
    done: set[tuple[str, str]] = set()
    gone: set[Path] = set()
    # One may be slower than it seemed, and others that seemed beaten may contend: hence one more time around.
    while True:
        waiting = list(_waiting(standing, students, progress, gone))
        again: list[Member] = []
        if waiting or done:
            again = _from_before(ledger, standing, students, progress, done=done, others_wait=bool(waiting))
        if not (waiting or again):
            break
        also = f", and {counted(len(again), 'member')} of the front again with them" if again else ""
        progress.say(f"measuring {counted(len(waiting), 'candidate')} for the front alone{also}")
        for portion in _portions([*waiting, *again], students):
            graphs = [_graph_file(students, member).read_bytes() for member in portion]
            specs = [standing.spec_of(member) for member in portion]
            task = executor.submit(measure_on_node, graphs, specs, setting, share=Share(measuring=True), name="measure")
            (latencies,) = executor.run_all([task])
            for member, latency in zip(portion, latencies, strict=True):
                _keep(ledger, standing, member, latency=latency)
                done.add((member.digest, member.precision))
    _judge_members(ledger, standing=standing, executor=executor, setting=setting, students=students)
    ledger.remember("finished", True)
    students.prune(standing.worth_keeping())


def _waiting(standing: Standing, students: Students, progress: Progress, gone: set[Path]) -> Iterator[Member]:
    """Give the contenders that were never measured alone; say of each file that it is gone, and add it there."""
    for member in standing.unsettled():
        file = _graph_file(students, member)
        if file.exists():
            yield member
        elif file not in gone:
            # By hand, or long before, as of a student that seemed beaten by far; the front is measured alone.
            progress.say(f"{file} is gone, so that trial {member.trial} cannot be measured alone: it is left out")
            gone.add(file)


def _from_before(
    ledger: Ledger,
    standing: Standing,
    students: Students,
    progress: Progress,
    *,
    done: Collection[tuple[str, str]],
    others_wait: bool,
) -> list[Member]:
    """Give the members of the front that were measured on another day; those whose files are gone leave it."""
    while True:
        # What those that wait beat already, although their latencies are too high, need not be measured beside them.
        front = standing.contenders() if others_wait else standing.front(settled=True).members
        before = [m for m in front if not m.latency.provisional and (m.digest, m.precision) not in done]
        lost = [member for member in before if not _graph_file(students, member).exists()]
        if not lost:
            return before
        # Beaten on an earlier day and removed, they would come back where the winners are measured on a slower one.
        for member in lost:
            file = _graph_file(students, member)
            progress.say(f"{file} is gone, so that trial {member.trial} cannot be measured again: it is left out")
            _keep(ledger, standing, member, latency=member.latency, withdrawn=True)


def _portions(members: Iterable[Member], students: Students) -> Iterator[list[Member]]:
    """Share members out into what is measured together."""
    portion: list[Member] = []
    num_bytes = 0
    for member in members:
        size = _graph_file(students, member).stat().st_size
        if portion and (len(portion) == PORTION or num_bytes + size > PORTION_BYTES):
            yield portion
            portion, num_bytes = [], 0
        portion.append(member)
        num_bytes += size
    if portion:
        yield portion


def _judge_members(
    ledger: Ledger, *, standing: Standing, executor: Executor, setting: object, students: Students
) -> None:
    """Read the test split, once for each member."""
    members = [
        member
        for member in standing.front(settled=True).members
        if not any(name.startswith(TEST) for name in member.metrics) and _graph_file(students, member).exists()
    ]
    tasks = [
        executor.submit(
            judge_on_node,
            _graph_file(students, member).read_bytes(),
            standing.spec_of(member),
            setting,
            share=Share(),
            name="test",
        )
        for member in members
    ]
    for member, metrics in zip(members, executor.run_all(tasks), strict=True):
        _keep(ledger, standing, member, latency=member.latency, metrics=metrics)


def _keep(
    ledger: Ledger,
    standing: Standing,
    member: Member,
    *,
    latency: Latency,
    metrics: Mapping[str, float] | None = None,
    withdrawn: bool = False,
) -> None:
    """Write down what was measured of a candidate; None as ``metrics`` leaves what the test split said before."""
    if metrics is None:
        metrics = {name: value for name, value in member.metrics.items() if name.startswith(TEST)}
    measured = FinalMeasurement(
        digest=member.digest, precision=member.precision, latency=latency, metrics=metrics, withdrawn=withdrawn
    )
    ledger.remember(f"{FINAL}{member.digest}:{member.precision}", stored.final.dump_python(measured, mode="json"))
    standing.settle(measured)


def _graph_file(students: Students, member: Member) -> Path:
    return students.folder(member.digest) / PRECISIONS[member.precision].file_name


def final_measurements(ledger: Ledger) -> list[FinalMeasurement]:
    """Read back what was measured alone."""
    return [stored.final.validate_python(record) for _, record in ledger.recall_all(FINAL)]
