"""Teachers that are not trained yet are foreseen as they will be, for losses that read or run them too."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from automl.check import check
from automl.check.teachers import examine_teachers, foresee, stand_ins
from automl.config import load_config
from automl.errors import UserError
from automl.preparation.prepare import prepare
from automl.run import Run
from teachers import CachePlan
from trials.records import Candidate, Latency

HINTS = {"hint": {"weight": 1.0, "layers": ["last=mine", "stage1"]}}


def written(small_config: Path, folder: Path, losses: Mapping[str, Any]) -> Path:
    """Write the config with other losses, a name of the teacher's layer, and runs of its own."""
    plain = yaml.safe_load(small_config.read_text()) | {"runs": str(folder / "runs")}
    plain["recipe"]["losses"] = {"hard_label": {"weight": 1.0}, **losses}
    plain["teachers"][0]["taps"] = {"mine": "body.layers.0"}
    path = folder / "losses.yaml"
    path.write_text(yaml.safe_dump(plain))
    return path


def plan_of(path: Path, *, trained: bool) -> CachePlan:
    prepared = prepare(load_config(path))
    schoolings, examined = examine_teachers(prepared)
    assert bool(examined) == trained
    teachers = stand_ins(prepared, schoolings, examined)
    assert [teacher.name for teacher in teachers] == ["left"]
    return foresee(prepared, teachers, examined)[0]


def test_features_of_a_teacher_that_is_to_be_trained_are_foreseen_as_the_trained_one_gives_them(
    small_run: Run, small_config: Path, tmp_path: Path
) -> None:
    path = written(small_config, tmp_path, HINTS)
    foreseen = plan_of(path, trained=False)
    shutil.copytree(small_run.folder.parent / ".cache", tmp_path / "runs" / ".cache")
    there = plan_of(path, trained=True)
    assert foreseen.outputs == there.outputs
    assert [each.output for each in there.features] == ["mine", "stage1"]
    assert foreseen.shapes == there.shapes


def test_a_feature_that_a_teacher_will_not_have_is_told_before_it_is_trained(
    small_config: Path, tmp_path: Path
) -> None:
    path = written(small_config, tmp_path, {"hint": {"weight": 1.0, "layers": "last=stage7"}})
    with pytest.raises(UserError, match=r"teachers\[0\]: unknown feature 'stage7'.*stage1"):
        plan_of(path, trained=False)


def test_answers_count_as_kept_where_only_all_together_are(small_run: Run, small_config: Path, tmp_path: Path) -> None:
    cache = tmp_path / "runs" / ".cache"
    shutil.copytree(small_run.folder.parent / ".cache", cache)
    shards = list(cache.rglob("*.shard"))
    for shard in shards:
        shard.unlink()
    moved = prepare(load_config(written(small_config, tmp_path, {"kd": {"weight": 1.0}})))
    assert shards
    schoolings, examined = examine_teachers(moved)
    assert schoolings == {}
    teachers = stand_ins(moved, schoolings, examined)
    plan, there = foresee(moved, teachers, examined)
    assert there == plan.num_bytes > 0
    for pack in cache.rglob("*.pack"):
        pack.unlink()
    assert foresee(moved, teachers, examined) == (plan, 0)


def test_losses_that_run_the_teachers_are_timed_with_their_models(
    small_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latency = Latency(median_ms=0.1, low_ms=0.1, high_ms=0.1, runs=9, provisional=True, device="none")
    metrics = {"latency_ms": 0.1, "size_bytes": 5000.0, "params": 1000.0, "macs": 1000.0}
    measured = (Candidate(precision="float32", metrics=metrics, latency=latency),)
    monkeypatch.setattr("automl.check.checking.measure_untrained", lambda probe, setting: measured)
    report = check(written(small_config, tmp_path, {"ca_mkd_feature": {"weight": 1.0}}))
    assert report.forecast.training_seconds > 0
    assert report.cache[-2].startswith("  the teachers' models, ")
