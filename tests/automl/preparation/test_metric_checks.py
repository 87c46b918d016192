"""Metrics of a config exist, and its limits lie within what they can be."""

from pathlib import Path

import pytest

from automl.check import check
from automl.config import load_config
from automl.errors import UserError
from automl.preparation.metric_checks import check_metrics
from automl.searching.search import search
from trials.tasks import Classification, Metric

CONFIG = """\
name: small
data: {kind: sklearn, name: digits}
student: {space: mlp}
recipe: {epochs: 1, batch_size: 64, learning_rate: 0.01, losses: {hard_label: {weight: 1.0}}}
objectives: [accuracy, latency_ms]
search: {trials: 2}
limits: [LIMIT]
"""


def written(folder: Path, limit: str) -> Path:
    path = folder / "small.yaml"
    path.write_text(CONFIG.replace("LIMIT", limit))
    return path


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("accuracy >= 2", "accuracy >= 2 cannot be: accuracy is from 0 to 1; for 2 % write 0.02"),
        ("accuracy >= 97.5", "accuracy >= 97.5 cannot be: accuracy is from 0 to 1; for 97.5 % write 0.975"),
        ("accuracy >= -1", "accuracy >= -1 cannot be: accuracy is from 0 to 1"),
        ("accuracy <= 2000", "accuracy <= 2000 cannot be: accuracy is from 0 to 1"),
        ("cross_entropy <= -0.1", "cross_entropy <= -0.1 cannot be: cross_entropy is at least 0"),
    ],
)
def test_a_limit_outside_what_a_metric_can_be_is_refused_with_what_it_can_be(
    tmp_path: Path, limit: str, message: str
) -> None:
    path = written(tmp_path, limit)
    for command in (check, search):
        with pytest.raises(UserError) as caught:
            command(path)
        assert str(caught.value) == f"{path}:7:10: limits[0]: {message}"


@pytest.mark.parametrize("limit", ["accuracy >= 1", "accuracy >= 0", "macro_f1 <= 1", "cross_entropy <= 99"])
def test_the_ends_of_what_can_be_are_taken(tmp_path: Path, limit: str) -> None:
    check_metrics(load_config(written(tmp_path, limit)), Classification(("a", "b")))


class Scored:
    """A task of another one's, with one metric."""

    def __init__(self, **metric: float) -> None:
        self.metrics = (Metric(name="accuracy", **metric),)


def test_a_metric_without_a_worst_end_is_bounded_on_one_side(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "accuracy >= 2"))
    with pytest.raises(UserError, match=r"accuracy >= 2 cannot be: accuracy is at most 1; for 2 % write 0\.02"):
        check_metrics(config, Scored(higher_is_better=True, chance=0.0, best=1.0))
    check_metrics(config, Scored(higher_is_better=True, chance=0.0, best=5.0))


def test_an_unknown_metric_of_a_task_is_told_with_all_there_are(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "macro_f1 >= 0.5"))
    with pytest.raises(
        UserError, match=r"unknown metric 'macro_f1'; known: accuracy, latency_ms, macs, params, size_bytes"
    ):
        check_metrics(config, Scored(higher_is_better=True, chance=0.0, best=1.0))
