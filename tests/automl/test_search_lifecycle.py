"""A search as a whole, with trials that take no time: how it begins, ends, breaks off and goes on."""

import errno
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import automl
from automl.cli import main
from automl.cluster.executor import LostWorkError
from automl.cluster.no_cluster import NoClusterError
from automl.errors import UserError, WorkFailed
from automl.run_folder import load_run
from tests.automl.quick_trials import CONFIG, cost, run_quickly, trained
from trials.records import Trial


def test_a_search_leaves_a_run_with_a_measured_front(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = automl.search(config())
    assert trained(run) == list(range(6))
    assert run.finished
    assert all(not member.latency.provisional for member in run.front.members)
    assert all(member.metrics["test_accuracy"] == 0.5 for member in run.front.members)
    assert load_run("small") == load_run("runs/small") == run
    assert {path.name for path in Path("runs/small/students").iterdir()} == {m.digest for m in run.front.members}
    told = capsys.readouterr().err
    for line in ("the run is kept in runs/small", "6/6 done · 0 running", "search ended: 6 trials were asked for"):
        assert line in told


def test_an_existing_run_is_refused_or_gone_on_with(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "small.yaml"]) == 0
    before = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    assert main(["search", "small.yaml"]) == 2
    assert "small.yaml:1:1: name: the run runs/small exists; add --resume to go on with it" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()} == before
    assert main(["search", "small.yaml", "--resume", "--trials", "9"]) == 0
    assert trained(load_run("small")) == list(range(9))


def test_a_run_goes_on_with_the_config_that_it_began_with(config: Any) -> None:
    automl.search(config())
    config(CONFIG.replace("epochs: 2", "epochs: 3"))
    with pytest.raises(UserError, match=r"small\.yaml:5:1: recipe: it differs from what the run runs/small began with"):
        automl.search("small.yaml", resume=True)
    config(CONFIG + "cache: {top_k: 3}\n")
    with pytest.raises(UserError, match=r"small\.yaml:\d+:9: cache\.top_k: it differs from what the run"):
        automl.search("small.yaml", resume=True)
    config(CONFIG.replace("trials: 6", "trials: 7") + "resources: {retries: 0}\ncache: {gb: 5}\n")
    assert len(automl.search("small.yaml", resume=True).trials) == 7


def test_a_run_does_not_go_on_elsewhere_or_with_other_rows(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    automl.search(config())
    students = {path.name for path in Path("runs/small/students").iterdir()}
    config(CONFIG + "storage: sqlite:///other.db\n")
    with pytest.raises(UserError, match=r"storage: it differs from what the run runs/small began with"):
        automl.search("small.yaml", resume=True)
    config(CONFIG)
    Path("runs/small/study.journal").rename("elsewhere")
    with pytest.raises(WorkFailed, match=r"there is no study 'small' in runs/small/study\.journal"):
        automl.search("small.yaml", resume=True)
    Path("elsewhere").rename("runs/small/study.journal")
    assert {path.name for path in Path("runs/small/students").iterdir()} == students
    monkeypatch.setattr("automl.searching.starting.rows_digest", lambda rows: "of other rows")
    with pytest.raises(UserError, match=r"data: the rows or labels are not those that the run began with"):
        automl.search("small.yaml", resume=True)


def test_ctrl_c_says_how_to_go_on(
    config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(trial: Trial, given: Any) -> Any:
        if trial.number == 3:
            raise KeyboardInterrupt
        return run_quickly(trial, given)

    monkeypatch.setattr("automl.searching.search.trial_on_node", interrupted)
    assert main(["search", "small.yaml"]) == 1
    told = capsys.readouterr().err
    assert told.endswith("stopped; go on with: automl search small.yaml --resume\n")
    assert "Traceback" not in told
    stopped = load_run("small")
    assert (trained(stopped), stopped.finished, stopped.num_open) == ([0, 1, 2], False, 1)
    monkeypatch.setattr("automl.searching.search.trial_on_node", run_quickly)
    assert main(["search", "small.yaml", "--resume"]) == 0
    assert (trained(load_run("small")), load_run("small").num_open) == (list(range(6)), 0)


def full(calls: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the disk be full from a call on."""
    count = [0]

    def go(*arguments: Any, **options: Any) -> Any:
        count[0] += 1
        if count[0] > calls:
            raise OSError(errno.ENOSPC, "No space left on device", "runs/small/somewhere")
        return function(*arguments, **options)

    return go


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("automl.searching.students.Students.save", 2),
        ("automl.study.journal.GroupedJournal.append_logs", 45),
        ("automl.searching.finale.measure_on_node", 0),
        ("automl.searching.search.trial_on_node", 1),
    ],
)
def test_a_full_disk_ends_in_one_message_and_the_search_goes_on_later(
    config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, calls: int
) -> None:
    module, _, attribute = name.rpartition(".")
    owner: Any = __import__("pkgutil").resolve_name(module)
    with monkeypatch.context() as patched:
        patched.setattr(owner, attribute, full(calls, getattr(owner, attribute)))
        assert main(["search", "small.yaml"]) == 1
    told = capsys.readouterr().err
    assert re.fullmatch(
        r"the disk is full: runs/small/somewhere cannot be written; there is room for [\d,]+ MB in \S+/runs/small; "
        "free space there, then go on with: automl search small.yaml --resume",
        told.splitlines()[-1],
    )
    assert not list(Path("runs/small").rglob("*.part"))
    assert main(["search", "small.yaml", "--resume"]) == 0
    run = load_run("small")
    assert trained(run) == list(range(6))
    assert {path.name for path in Path("runs/small/students").iterdir()} == {m.digest for m in run.front.members}


def test_a_config_that_cannot_be_written_leaves_none(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    del config
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full(0, Path.replace))
        assert main(["search", "small.yaml"]) == 1
    assert not Path("runs/small/config.yaml").exists()
    assert not list(Path("runs/small").glob("*.part"))
    assert main(["search", "small.yaml"]) == 0


@pytest.mark.parametrize("storage", ["", "storage: sqlite:///study.db\n"])
def test_a_search_without_a_cluster_leaves_no_run(
    config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], storage: str
) -> None:
    config(CONFIG + storage)
    with monkeypatch.context() as patched:
        patched.setattr("automl.searching.search.Executor", mock.Mock(side_effect=NoClusterError("Ray did not start")))
        assert main(["search", "small.yaml"]) == 1
    assert capsys.readouterr().err.endswith("Ray did not start\n")
    assert not Path("runs/small/config.yaml").exists()
    assert main(["search", "small.yaml"]) == 0
    with monkeypatch.context() as patched:  # A run that had begun stays.
        patched.setattr("automl.searching.search.Executor", mock.Mock(side_effect=NoClusterError("Ray did not start")))
        assert main(["search", "small.yaml", "--resume", "--trials", "9"]) == 1
    assert trained(load_run("small")) == list(range(6))


@pytest.mark.parametrize("storage", ["", "storage: sqlite:///study.db\n"])
def test_limits_that_nothing_keeps_are_told_before_training_and_can_be_mended(
    config: Any, capsys: pytest.CaptureFixture[str], storage: str
) -> None:
    config(CONFIG.replace("latency_ms <= 9", "latency_ms <= 0.001") + storage)
    assert main(["search", "small.yaml"]) == 2
    told = capsys.readouterr().err
    assert (
        "small.yaml:11:1: limits: no student keeps\n  latency_ms <= 0.001: the nearest student has latency_ms" in told
    )
    assert not Path("runs/small/config.yaml").exists()
    config(CONFIG + storage)
    assert main(["search", "small.yaml"]) == 0  # Neither refused nor mixed with what was wrong.


def test_a_front_that_stays_empty_is_a_failure_with_its_remedy(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    config(CONFIG.replace("[latency_ms <= 9]", "[latency_ms <= 9, accuracy >= 0.999]"))
    assert main(["search", "small.yaml"]) == 1
    told = capsys.readouterr().err
    assert (
        "no student keeps the limits (latency_ms <= 9, accuracy >= 0.999); 6 students trained\n  accuracy >= 0.999: "
        in told
    )


def test_a_search_whose_trials_all_fail_says_why(
    config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(trial: Trial, given: Any) -> Any:
        raise ImportError("no module named 'mine'")

    monkeypatch.setattr("automl.searching.search.trial_on_node", fail)
    assert main(["search", "small.yaml"]) == 1
    assert "every trial failed; the last one with: ImportError: no module named 'mine'" in capsys.readouterr().err


def test_a_database_holds_a_search_and_its_resume(config: Any) -> None:
    config(CONFIG + "storage: sqlite:///study.db\n")
    run = automl.search("small.yaml", trials=3)
    assert not Path("runs/small/study.journal").exists()
    again = automl.search("small.yaml", resume=True)
    assert trained(again) == list(range(6))
    assert again.trials[:3] == run.trials
    assert load_run("small") == again
    other = CONFIG.replace("name: small", "name: small\nruns: elsewhere") + "storage: sqlite:///study.db\n"
    config(other)
    with pytest.raises(UserError, match=r"storage: it holds a study 'small' of another run already; give this search"):
        automl.search("small.yaml")
    assert load_run("small") == again


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ("storage: sqlite:////nowhere/at/all.db", 1, "the study's storage cannot be used (OperationalError)"),
        ("storage: postgresql://me:${NOT_SET}@host/db", 2, "small.yaml:13:1: storage: 'postgres"),
        ("tracking: {uri: 'http://me:${NOT_SET}@host'}", 2, "small.yaml:13:12: tracking.uri: 'http"),
    ],
)
def test_stores_that_cannot_be_used_are_told(
    config: Any, capsys: pytest.CaptureFixture[str], more: str, code: int, message: str
) -> None:
    config(CONFIG + more + "\n")
    assert main(["search", "small.yaml"]) == code
    assert message in capsys.readouterr().err
    config(CONFIG)
    assert main(["search", "small.yaml"]) == 0


def test_a_sampler_s_mistake_is_told_with_its_place(config: Any, capsys: pytest.CaptureFixture[str]) -> None:
    config(CONFIG.replace("sampler: random", "sampler: {name: tpe, options: {speed: 9}}"))
    assert main(["search", "small.yaml"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("small.yaml:12:41: search.sampler.options.speed: 'tpe' has no option 'speed'; it has ")
    config()
    assert main(["search", "small.yaml"]) == 0


def test_a_user_s_own_sampler_comes_in_by_its_import_name(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own_sampler.py").write_text(
        "from optuna.samplers import RandomSampler\n\n\n"
        "class Narrow(RandomSampler):\n"
        "    def __init__(self, *, seed, rate):\n"
        "        super().__init__(seed=seed)\n"
        "        self.rate = rate\n\n"
        "    def sample_independent(self, study, trial, name, distribution):\n"
        "        if name == 'recipe.learning_rate':\n"
        "            return self.rate\n"
        "        return super().sample_independent(study, trial, name, distribution)\n"
    )
    monkeypatch.syspath_prepend(Path.cwd())
    sampler = "sampler: {name: 'own_sampler:Narrow', options: {rate: 0.01}}"
    run = automl.search(config(CONFIG.replace("sampler: random", sampler)))
    assert {finished.trial.recipe.learning_rate for finished in run.trials} == {0.01}
    assert len({finished.result.digest for finished in run.trials}) > 1


def test_a_student_removed_by_hand_is_told_and_the_others_are_measured(
    config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("automl.searching.search.measure_front", mock.MagicMock(side_effect=KeyboardInterrupt))
        assert main(["search", "small.yaml"]) == 1
    gone = load_run("small").front.members[0]
    Path(f"runs/small/students/{gone.digest}/model.onnx").unlink()
    capsys.readouterr()
    assert main(["search", "small.yaml", "--resume"]) == 0
    told = capsys.readouterr().err
    assert f"students/{gone.digest}/model.onnx is gone, so that trial {gone.trial} cannot be measured alone" in told
    members = load_run("small").front.members
    assert members
    assert not any(member.latency.provisional for member in members)
    assert (gone.digest, gone.precision) not in {(member.digest, member.precision) for member in members}


def test_a_search_that_goes_on_is_not_finished(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    automl.search(config())
    assert load_run("small").finished
    monkeypatch.setattr("automl.searching.search.measure_front", mock.MagicMock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        automl.search("small.yaml", resume=True, trials=8)
    assert not load_run("small").finished


def test_lost_work_beside_the_trials_ends_with_a_message(
    config: Any, monkeypatch: pytest.MonkeyPatch, in_process: Any
) -> None:
    class Losing(in_process):  # type: ignore[misc]
        def run_all(self, tasks: Any) -> Any:
            try:
                return super().run_all(tasks)
            except LostWorkError as error:
                raise WorkFailed(str(error)) from error

    monkeypatch.setattr("automl.searching.search.Executor", Losing)
    monkeypatch.setattr(
        "automl.searching.reach.measure_untrained", mock.MagicMock(side_effect=LostWorkError("it died"), __name__="m")
    )
    with pytest.raises(WorkFailed, match="it died"):
        automl.search(config())
    monkeypatch.setattr("automl.searching.reach.measure_untrained", lambda trial, setting: (cost(trial),))
    assert len(automl.search("small.yaml", resume=True).trials) == 6


def test_a_search_that_never_began_says_so(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(
            "automl.searching.reach.measure_untrained", mock.MagicMock(side_effect=KeyboardInterrupt, __name__="m")
        )
        with pytest.raises(KeyboardInterrupt):
            automl.search(config())
    with pytest.raises(UserError, match="its search was stopped before the first trial; go on with --resume"):
        load_run("small")
    assert trained(automl.search("small.yaml", resume=True)) == list(range(6))
