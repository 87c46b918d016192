"""A small search with halving, with students that are trained for real."""

from pathlib import Path
from unittest import mock

import pytest

from automl.attribution.attribute import attribute
from automl.config import load_config
from automl.errors import UserError
from automl.front.view import front_json
from automl.preparation.prepare import prepare
from automl.run import Run
from automl.run_folder import load_run
from automl.searching.search import search
from trials.records import Outcome
from trials.run_trial import run_trial

CONFIG = """
name: halved
runs: {runs}
data: {{kind: sklearn, name: digits}}
student:
  space: mlp
  choices: {{depth: [1], activation: [relu], normalisation: [batch], shortcut: [false], dropout: [0.1],
             layer1.width: [16]}}
recipe:
  epochs: [4, 3]
  batch_size: 64
  learning_rate: {{low: 0.00001, high: 0.03, log: true}}
  losses: {{hard_label: {{weight: 1.0}}}}
objectives: [accuracy]
limits: [size_bytes <= 50000, accuracy >= 0.2]
latency: {{warmup_runs: 1, min_runs: 6, seconds: 0.001}}
search: {{sampler: random, trials: 7, halving: {{grace: 1, reduction: 2}}}}
"""


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory, in_process: type) -> Run:
    folder = tmp_path_factory.mktemp("halved")
    (folder / "halved.yaml").write_text(CONFIG.format(runs=folder / "runs"))
    with (
        mock.patch("automl.searching.search.Executor", in_process),
        mock.patch("automl.searching.search.Tracker") as tracker,
        mock.patch("automl.searching.search._summary"),
    ):
        tracker.return_value.ui_hint.return_value = None
        tracker.return_value.close.return_value = ""
        return search(folder / "halved.yaml")


def test_it_stops_some_and_trains_the_best_to_the_end(halved: Run) -> None:
    trained, pruned = halved.count(Outcome.TRAINED), halved.count(Outcome.PRUNED)
    assert trained + pruned == 7
    assert min(trained, pruned) >= 1
    told = front_json(halved)
    assert told["trials"] == {"complete": trained, "pruned": pruned, "infeasible": 0, "failed": 0}
    stopped = {finished.trial.number for finished in halved.trials if finished.result.outcome is Outcome.PRUNED}
    assert not stopped & {member.trial for member in halved.front.members}
    for finished in halved.trials:
        assert [record.rung for record in finished.rungs] in ([1], [1, 2])
        assert finished.result.candidates[0].metrics["size_bytes"] > 0
    page = (halved.folder / "report.html").read_text()
    assert f"{pruned} stopped at a rung" in page
    assert '<section id="rungs">' in page


def test_what_was_trained_in_rungs_is_what_training_in_one_go_gives(halved: Run) -> None:
    (member, *_) = halved.front.members
    finished = halved.trials[member.trial]
    assert finished.rungs
    prepared = prepare(load_config(halved.folder / "config.yaml"))
    _, artefacts = run_trial(prepared.trial(member.trial, finished.values), prepared.setting)
    weights = halved.folder / "students" / member.digest / "model.safetensors"
    assert weights.read_bytes() == artefacts.files["model.safetensors"]


def test_a_run_that_is_read_again_knows_its_rungs(halved: Run) -> None:
    assert load_run(Path(halved.folder)).trials == halved.trials


def test_a_student_that_was_stopped_has_no_attribution(halved: Run) -> None:
    number = next(each.trial.number for each in halved.trials if each.result.outcome is Outcome.PRUNED)
    with pytest.raises(UserError, match=f"trial {number} was stopped at a rung; trained trials are"):
        attribute(halved.folder, number)
