"""The end of a search: who is measured together with whom, what is kept of it, and what happens on another day."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automl.cluster import nodes
from automl.errors import WorkFailed
from automl.run import Run
from automl.searching import finale
from automl.searching.finale import final_measurements, measure_front
from automl.searching.standing import Standing
from automl.searching.students import Students
from automl.study import stored
from search_spaces import StudentSpec
from trials.compress import PRECISIONS
from trials.records import Artefacts, Latency, Outcome
from trials.rounds import MeasuringProcessError

Key = tuple[str, str]


class Facts:
    """A ledger of facts alone."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}

    def remember(self, name: str, record: Any) -> None:
        self.facts[name] = record

    def recall_all(self, prefix: str) -> Iterator[tuple[str, Any]]:
        return ((name.removeprefix(prefix), fact) for name, fact in self.facts.items() if name.startswith(prefix))


@dataclass
class End:
    """The end of a made-up search, with a machine that measures without noise."""

    run: Run
    folder: Path
    executor: Any
    slowness: float = 1.0
    wrong_by: dict[Key, float] = field(default_factory=dict)
    breaks_in: int = 99
    keeps_all: bool = False
    ledger: Facts = field(default_factory=Facts)
    lines: list[str] = field(default_factory=list)
    calls: list[list[Key]] = field(default_factory=list)
    judged: list[Key] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.students = Students(self.folder)
        candidates = [(f.result.digest, c) for f in self.run.trials for c in f.result.candidates]
        self.provisional = {(digest, c.precision): c.latency.median_ms for digest, c in candidates}

    def say(self, line: str) -> None:
        self.lines.append(line)

    def standing(self, num_trials: int) -> Standing:
        """Give what the first trials found, with the files of those that contend, as the controller leaves them."""
        standing = Standing(self.run.front.objectives, (), final_measurements(self.ledger))  # type: ignore[arg-type]
        for finished in self.run.trials[:num_trials]:
            standing.add(finished)
        kept = {member.digest for member in standing.contenders()}
        if self.keeps_all:
            kept = {finished.result.digest for finished in self.run.trials[:num_trials]}
        for digest in kept - {m.digest for m in final_measurements(self.ledger)}:  # type: ignore[arg-type]
            files = {PRECISIONS[p].file_name: f"{d}:{p}".encode() for d, p in self.provisional if d == digest}
            self.students.save(digest, Artefacts(files=files))
        self.students.prune(kept)
        return standing

    def measure(self, graphs: list[bytes], specs: list[StudentSpec], setting: object) -> list[Latency]:
        assert setting == "setting"
        trials = {f.result.digest: f.trial for f in self.run.trials}
        assert specs == [trials[key_of(graph)[0]].spec for graph in graphs]
        if len(self.calls) == self.breaks_in:
            raise KeyboardInterrupt
        keys = [key_of(graph) for graph in graphs]
        self.calls.append(keys)
        return [self.latency(key) for key in keys]

    def latency(self, key: Key) -> Latency:
        ms = self.provisional[key] * self.slowness * self.wrong_by.get(key, 1.0)
        return Latency(median_ms=ms, low_ms=ms, high_ms=ms, rounds=9, runs=900, provisional=False, device="here")

    def judge(self, graph: bytes, spec: StudentSpec, setting: object) -> dict[str, float]:
        del spec, setting
        self.judged.append(key_of(graph))
        return {"test_accuracy": 0.5}

    def go(self, num_trials: int = 99) -> Standing:
        standing = self.standing(num_trials)
        measure_front(
            self.ledger,  # type: ignore[arg-type]
            standing=standing,
            executor=self.executor,
            setting="setting",
            students=self.students,
            progress=self,  # type: ignore[arg-type]
        )
        return standing


def key_of(graph: bytes) -> Key:
    digest, precision = graph.decode().split(":")
    return digest, precision


def keys(standing: Standing) -> set[Key]:
    return {(member.digest, member.precision) for member in standing.front(settled=True).members}


@pytest.fixture
def end(make_run: Callable[..., Run], tmp_path: Path, in_process: Any, monkeypatch: pytest.MonkeyPatch) -> End:
    outcomes = dict.fromkeys(range(30), Outcome.TRAINED)
    run = make_run(trials=30, outcomes=outcomes, finished=False, limits=())
    made = End(run=run, folder=tmp_path, executor=in_process())
    monkeypatch.setattr(finale, "measure_on_node", made.measure)
    monkeypatch.setattr(finale, "judge_on_node", made.judge)
    return made


def test_all_that_may_stand_on_the_front_are_measured_together_once(end: End) -> None:
    before = {(member.digest, member.precision) for member in end.standing(99).unsettled()}
    standing = end.go()
    assert [set(call) for call in end.calls] == [before]
    assert len(end.calls[0]) == len(before) > len(keys(standing)) > 3
    assert end.executor.submitted[0] == "measure"
    assert set(end.judged) == keys(standing)
    assert all(member.metrics["test_accuracy"] == 0.5 for member in standing.front(settled=True).members)
    assert end.ledger.facts["finished"] is True
    assert {path.name for path in (end.folder / "students").iterdir()} == {digest for digest, _ in keys(standing)}
    assert {(m.digest, m.precision) for m in final_measurements(end.ledger)} == before  # type: ignore[arg-type]
    assert end.lines == [f"measuring {len(before)} candidates for the front alone"]


def test_a_search_that_ended_measures_and_judges_nothing_again(end: End) -> None:
    first = end.go()
    calls, judged = list(end.calls), list(end.judged)
    end.slowness = 3.0
    assert end.go().front(settled=True) == first.front(settled=True)
    assert (end.calls, end.judged) == (calls, judged)


@pytest.mark.parametrize(("setting", "value", "most"), [("PORTION", 5, 5), ("PORTION_BYTES", 50, 2)])
def test_many_are_measured_in_portions(
    end: End, monkeypatch: pytest.MonkeyPatch, setting: str, value: int, most: int
) -> None:
    whole = keys(end.go())
    end.ledger, end.calls = Facts(), []
    monkeypatch.setattr(finale, setting, value)  # A graph here has 17 or 20 bytes.
    assert keys(end.go()) == whole
    assert max(map(len, end.calls)) == most
    assert len(end.calls) > 2


def test_what_was_measured_before_a_stop_is_kept_and_members_are_measured_beside_the_rest(
    end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finale, "PORTION", 5)
    end.breaks_in = 2
    with pytest.raises(KeyboardInterrupt):
        end.go()
    done = {key for call in end.calls for key in call}
    assert len(done) == 10
    assert {(m.digest, m.precision) for m in final_measurements(end.ledger)} == done  # type: ignore[arg-type]
    assert "finished" not in end.ledger.facts
    end.breaks_in, end.calls = 99, []
    waiting = {(m.digest, m.precision) for m in end.standing(99).unsettled()}
    standing = end.go()
    measured = [key for call in end.calls for key in call]
    assert waiting.isdisjoint(done)
    assert waiting | keys(standing) <= set(measured)
    assert len(measured) == len(set(measured))


def test_on_a_slower_day_the_front_of_before_is_measured_again_beside_those_that_are_new(end: End) -> None:
    first = keys(end.go(15))
    judged = set(end.judged)
    # Some are beaten by what is new already, and their files are gone.
    left = first & {(member.digest, member.precision) for member in end.standing(99).contenders()}
    assert len(first) > len(left) > 3
    end.calls, end.lines, end.slowness = [], [], 1.5
    standing = end.go()
    assert {key for call in end.calls for key in call} & first == left
    assert left < set(end.calls[0])
    num_new = len(end.calls[0]) - len(left)
    assert end.lines[0] == (
        f"measuring {num_new} candidates for the front alone, and {len(left)} members of the front again with them"
    )
    for member in standing.front(settled=True).members:
        assert member.metrics["latency_ms"] == pytest.approx(1.5 * end.provisional[member.digest, member.precision])
        assert member.metrics["test_accuracy"] == 0.5
    # Whoever was judged stays judged by the same rows, which are read once.
    assert len(end.judged) == len(set(end.judged))
    assert judged <= set(end.judged)
    # Who stands there is what one day of measuring would have said.
    end.ledger = Facts()
    assert keys(end.go()) == keys(standing)


def test_what_was_beaten_and_removed_does_not_come_back_on_a_slower_day(end: End) -> None:
    first = keys(end.go(15))
    beaten = {(m.digest, m.precision) for m in final_measurements(end.ledger)} - first  # type: ignore[arg-type]
    removed = {key for key in beaten if not end.students.folder(key[0]).exists()}
    assert removed
    end.slowness = 10.0
    standing = end.go()
    assert keys(standing).isdisjoint(removed)
    again = end.standing(99)  # As it is read from the ledger.
    assert keys(again) == keys(standing)
    assert not again.unsettled()


def test_one_that_turns_out_slow_lets_others_contend_which_are_then_measured_too(end: End) -> None:
    end.keeps_all = True
    # As if all that are measured first were disturbed.
    end.wrong_by = {(m.digest, m.precision): 3.0 for m in end.standing(99).unsettled()}
    ended = end.go()
    assert len(end.calls) > 1
    assert not ended.unsettled()
    measured = [key for call in end.calls for key in call]
    assert len(measured) == len(set(measured))  # The same day: nobody is measured twice.


def test_a_file_that_is_gone_is_told_once_and_the_others_are_measured(end: End) -> None:
    gone = end.standing(99).unsettled()[0]
    file = end.students.folder(gone.digest) / PRECISIONS[gone.precision].file_name
    standing = Standing(end.run.front.objectives, ())
    for finished in end.run.trials:
        standing.add(finished)
    file.unlink()
    measure_front(
        end.ledger,  # type: ignore[arg-type]
        standing=standing,
        executor=end.executor,
        setting="setting",
        students=end.students,
        progress=end,  # type: ignore[arg-type]
    )
    told = [line for line in end.lines if "is gone" in line]
    assert told == [f"{file} is gone, so that trial {gone.trial} cannot be measured alone: it is left out"]
    assert (gone.digest, gone.precision) not in keys(standing)
    assert keys(standing)


def test_records_from_before_there_were_rounds_are_read_as_one_round(end: End) -> None:
    end.go()
    for name, record in end.ledger.recall_all("final:"):
        del record["latency"]["rounds"], record["withdrawn"]
        assert stored.final.validate_python(record).latency.rounds == 1, name


def test_a_measuring_process_that_dies_ends_the_search_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(graphs: Any, specs: Any, setting: Any) -> Any:
        raise MeasuringProcessError("the process that measures latency ended with -9")

    monkeypatch.setattr(nodes, "measure_alone", die)
    with pytest.raises(WorkFailed, match="ended with -9; go on with --resume"):
        nodes.measure_on_node([b"graph"], [], ("setting", None))  # type: ignore[arg-type]
