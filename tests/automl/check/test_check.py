import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import yaml
from rich.console import Console

from automl.check import check
from automl.check.checking import _notes, ranges_of
from automl.check.forecast import Forecast
from automl.check.space import draw
from automl.check.timing import MadeUpAnswers, num_steps
from automl.config import load_config
from automl.errors import UserError, WorkFailed
from automl.front.objectives import parse_limit
from automl.preparation.prepare import prepare
from automl.teaching.schooling import schooling
from search_spaces import cost_of
from teachers import Batch
from trials.distill import distill
from trials.lesson import Lesson
from trials.records import Candidate, Latency, Outcome, TrialResult
from trials.student import Student

LATENCY = Latency(median_ms=0.1, low_ms=0.1, high_ms=0.1, runs=9, provisional=True, device="none")


def text_of(report):
    console = Console(width=1000)
    with console.capture() as capture:
        console.print(report)
    return capture.get()


def changed(small_config, folder, **sections):
    """Write the config with other sections, and runs of its own."""
    plain = yaml.safe_load(small_config.read_text()) | {"runs": str(folder / "runs")} | sections
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(plain))
    return path


def measured_as(params, size_bytes):
    """Make candidates of one student up, in float32 and int8."""
    metrics = {"latency_ms": 0.1, "size_bytes": size_bytes, "params": params, "macs": params}
    return tuple(
        Candidate(precision=name, metrics=metrics | {"size_bytes": size_bytes / part}, latency=LATENCY)
        for name, part in (("float32", 1), ("int8", 4))
    )


@pytest.fixture(scope="module")
def before(small_config, tmp_path_factory):
    """Check a search of which nothing is there yet."""
    folder = tmp_path_factory.mktemp("before")
    return check(changed(small_config, folder)), folder


@pytest.fixture(scope="module")
def after(small_run, small_config):
    """Check a search that was run before."""
    del small_run
    return check(small_config)


@pytest.fixture
def prepared(small_config):
    return prepare(load_config(small_config))


def test_nothing_is_written(before):
    _, folder = before
    assert [path.name for path in folder.iterdir()] == ["changed.yaml"]


def test_the_data_are_told(before):
    data = before[0].data
    assert dict(data.rows) == {"train": 1079, "validation": 359, "test": 359}
    assert data.labelled == 216  # a fifth
    assert data.inputs == "1 × 8 × 8 float32"
    assert dict(data.columns) == {"style": "left 690, right 530, upright 577"}


def test_a_teacher_that_is_to_be_trained_comes_with_an_estimate(before):
    report, _ = before
    (teacher,) = report.teachers
    assert teacher.training_seconds is not None
    assert teacher.training_seconds > 0
    assert not teacher.kept
    assert not teacher.metrics
    assert report.forecast.cached_bytes == 0
    assert "to be trained, about" in text_of(report)


def test_a_teacher_that_an_earlier_search_trained_is_found_and_judged(after, small_run):
    (teacher,) = after.teachers
    assert teacher.training_seconds is None
    assert teacher.kept
    assert after.forecast.cached_bytes == after.forecast.cache_bytes > 0
    assert dict(after.forecast.schooling_seconds) == {}
    (record,) = small_run.teachers
    # All 359 validation rows are in the sample; answers as they are kept are the same answers.
    assert teacher.rows == 359
    assert teacher.metrics == pytest.approx({name: record.metrics[name] for name in ("home", "abroad")})


def test_an_existing_run_is_noted(before, after, small_run):
    assert any(f"the run {small_run.folder} exists" in note for note in after.notes)
    assert not any("exists" in note for note in before[0].notes)


def test_rows_without_a_teacher_are_noted(before):
    assert "667 of 1079 training rows have no teacher" in before[0].notes


def test_rows_without_a_teacher_are_counted_by_the_labels_that_students_see(small_config, tmp_path, by_hand):
    (first,) = yaml.safe_load(small_config.read_text())["teachers"]
    teachers = [first | {"covers": {"labels": [0, 1, 2, 3, 4]}}]
    prepared = prepare(load_config(changed(small_config, tmp_path, teachers=teachers)))
    dataset = prepared.dataset
    seen = dataset.student_labels[dataset.splits["train"]]
    others = int((seen > 4).sum())
    assert 0 < others < len(seen) / 5  # Rows without a label have this teacher.
    (note,) = [
        note
        for note in _notes(prepared, SimpleNamespace(unbuildable="", share_kept=1), by_hand)
        if "no teacher" in note
    ]
    assert note == f"{others} of {len(seen)} training rows have no teacher"


def test_ranges_hold_what_the_search_found(after, small_run):
    ranges = {each.metric: each for each in after.ranges}
    assert list(ranges) == ["accuracy", "latency_ms", "size_bytes"]
    assert (ranges["accuracy"].low, ranges["accuracy"].high) == pytest.approx((0.1, 1.0))
    assert ranges["size_bytes"].limits == ("size_bytes <= 50000",)
    assert all(each.objective for each in after.ranges)
    for member in small_run.front.members:
        assert ranges["size_bytes"].low <= member.metrics["size_bytes"] <= ranges["size_bytes"].high


def test_the_space_is_told(before, prepared):
    space = before[0].space
    assert (space.name, space.num_points, space.num_choices) == ("mlp", 2, len(prepared.choices))
    # 64 inputs, W units with a bias, scale and shift of their norm, 10 outputs with a bias.
    assert space.params == tuple(65 * width + 2 * width + (width + 1) * 10 for width in (16, 64))
    assert space.share_kept == 1


def test_the_forecast_adds_up(before):
    found = before[0].forecast
    assert found.total_seconds == pytest.approx(
        found.start_seconds + found.teachers_seconds + found.trials_seconds + found.end_seconds
    )
    assert found.worker_bytes > 10**8  # PyTorch alone takes more
    assert found.data_bytes == 1797 * 64 * 4


def test_all_is_printed(before):
    text = text_of(before[0])
    for part in (
        "data        sklearn, 1 × 8 × 8 float32; rows: 1,079 train",
        "left  train; covers style = left",
        "mlp: 2 architectures",
        "size_bytes ",
        "an estimate from a few students",
        "3 trials, ",
        "cache: ",
        "next        automl search ",
    ):
        assert part in text


def test_limits_that_no_student_keeps_are_refused_with_the_nearest_value(small_config, tmp_path, monkeypatch):
    monkeypatch.setattr("automl.check.checking.measure_untrained", lambda probe, setting: measured_as(1000, 5000.0))
    path = changed(small_config, tmp_path, limits=["size_bytes <= 1000"])
    with pytest.raises(UserError, match=r"changed\.yaml:.*limits: no student keeps") as raised:
        check(path)
    assert "size_bytes <= 1000: the nearest student has size_bytes 1250" in str(raised.value)


def test_a_limit_on_what_is_no_objective_is_told_too(prepared):
    limit = parse_limit("params <= 2000")
    config = prepared.config.model_copy(update={"objectives": ("cross_entropy",), "limits": (limit,)})
    measured = [measured_as(1242, 6000.0), measured_as(4938, 20000.0)]
    loss, params = ranges_of(replace(prepared, config=config), measured)
    assert (loss.metric, loss.objective, loss.measured, loss.low) == ("cross_entropy", True, False, 0.0)
    assert loss.high == pytest.approx(math.log(10))
    assert (params.objective, params.measured, params.low, params.high) == (False, True, 1242, 4938)
    assert params.limits == ("params <= 2000",)


def test_a_student_that_cannot_be_exported_is_told_with_its_values(small_config, tmp_path, monkeypatch):
    def fail(probe, setting):
        raise RuntimeError("no such operation in ONNX")

    monkeypatch.setattr("automl.check.checking.measure_untrained", fail)
    with pytest.raises(UserError, match="cannot be exported and measured: RuntimeError: no such operation") as raised:
        check(changed(small_config, tmp_path))
    assert "'layer1.width'" in str(raised.value)


def test_a_student_that_cannot_be_trained_fails_the_check(small_config, tmp_path, monkeypatch):
    def fail(trial, setting):
        failed = TrialResult(number=trial.number, digest=trial.digest, outcome=Outcome.FAILED, error="boom: no loss")
        return failed, None

    monkeypatch.setattr("automl.check.checking.measure_untrained", lambda probe, setting: measured_as(1000, 5000.0))
    monkeypatch.setattr("automl.check.forecast.run_trial", fail)
    with pytest.raises(WorkFailed, match=r"cannot be trained:\nboom: no loss"):
        check(changed(small_config, tmp_path))


def test_a_recipe_that_cannot_be_trained_is_told_at_its_place(small_config, tmp_path):
    plain = yaml.safe_load(small_config.read_text())
    path = changed(small_config, tmp_path, recipe={**plain["recipe"], "batch_size": 1})
    with pytest.raises(UserError, match=r"changed\.yaml:\d+:1: recipe: a student .* cannot be trained: batch norm"):
        check(path)


def test_what_finds_no_room_in_the_cache_is_told_with_its_price(small_config, tmp_path):
    report = check(changed(small_config, tmp_path, cache={"gb": 1e-6}))
    assert report.forecast.cache_bytes == 0
    assert "0 bytes of at most 1 kB" in report.cache[0]
    assert report.cache[1].startswith("  on the spot: left runs in every step, ")
    assert report.cache[1].endswith("an epoch; 57.5 kB more would keep its answers")


def test_a_teacher_that_cannot_be_loaded_is_told_with_its_place(small_config, tmp_path):
    (tmp_path / "empty").mkdir()
    (first,) = yaml.safe_load(small_config.read_text())["teachers"]
    path = changed(small_config, tmp_path, teachers=[first, {"name": "b", "kind": "run", "path": "empty"}])
    with pytest.raises(UserError, match="holds no exported student") as raised:
        check(path)
    assert "teachers[1]" in raised.value.place
    assert str(raised.value).count("teachers[1]") == 1


def test_an_unknown_sampler_is_told_with_its_place(small_config, tmp_path):
    path = changed(small_config, tmp_path, search={"sampler": "tarot", "trials": 3})
    with pytest.raises(UserError, match="sampler"):
        check(path)


def test_the_share_that_keeps_limits_is_counted_as_the_gate_counts(prepared):
    widths = {16: measured_as(1226, 6000.0), 64: measured_as(4938, 20000.0)}
    free = draw(replace(prepared, config=prepared.config.model_copy(update={"limits": ()})), widths)
    assert free.share_kept == 1
    assert len(free.kept) == 300
    small = [trial for trial in free.kept if trial.spec.values["layer1.width"] == 16]
    assert 100 < len(small) < 200

    def limited(text):
        config = prepared.config.model_copy(update={"limits": (parse_limit(text),)})
        return draw(replace(prepared, config=config), widths)

    assert limited("params <= 2000").share_kept == len(small) / 300
    # 20000 bytes of float32 are 5000 of int8: one precision that keeps the limit is enough.
    assert limited("size_bytes <= 5100").share_kept == 1
    assert limited("size_bytes <= 4000").share_kept == len(small) / 300
    assert limited("params <= 10").share_kept == 0


def test_steps_are_counted_as_training_takes_them(prepared):
    heard = []

    class Counting(MadeUpAnswers):
        def __call__(self, batch, features=()):
            heard.append(len(batch.index))
            return super().__call__(batch, features)

    trial = draw(prepared, {"any": measured_as(1, 1.0)}).kept[0]
    setting = replace(prepared.setting, teachers=Counting([{}], 10))
    student = Student(
        prepared.space.build(trial.spec, setting.signature_of(trial.spec)),
        signature=setting.signature_of(trial.spec),
        statistics=prepared.setting.statistics,
    )
    distill(
        student,
        Lesson(
            dataset=prepared.dataset,
            task=prepared.task,
            recipe=trial.recipe,
            seed=0,
            ensemble=prepared.ensemble,
            teachers=setting.teachers,
        ),
    )
    assert num_steps(trial, setting) == len(heard)


def test_attention_that_is_made_up_is_attention_since_losses_take_logarithms_of_it():
    shapes = {"attention_last.weights": (2, 8, 8), "attention_last.query": (2, 8, 4)}
    answers = MadeUpAnswers([shapes], 10)(
        Batch(inputs=torch.zeros(3, 1), labels=torch.zeros(3, dtype=torch.int64), index=torch.arange(3)), shapes
    )
    weights = answers.features[0]["attention_last.weights"]
    assert weights.shape == (3, 2, 8, 8)
    assert (weights > 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 2, 8), atol=5e-3, rtol=0)
    assert (answers.features[0]["attention_last.query"] < 0).any()


def test_a_sampled_student_costs_what_its_space_says(prepared):
    sampled = draw(prepared, {"any": measured_as(1, 1.0)})
    middle = sampled.at_quantile(0.5)
    assert sampled.macs(middle) == cost_of(prepared.space, middle.spec, prepared.setting.signature_of(middle.spec)).macs
    assert sampled.macs(sampled.at_quantile(0.0)) == min(cost.macs for cost in sampled.costs.values())
    assert sampled.macs(sampled.at_quantile(1.0)) == max(cost.macs for cost in sampled.costs.values())


def test_the_folder_of_a_trained_teacher_depends_on_its_rows(small_config, tmp_path, prepared):
    other = changed(small_config, tmp_path, data={"kind": "sklearn", "name": "digits", "split": {"seed": 1}})
    names = {schooling(each, 0).folder_name() for each in (prepared, prepare(load_config(other)))}
    assert len(names) == 2


@pytest.fixture
def by_hand():
    return Forecast(
        start_seconds=10.0,
        schooling_seconds={0: 30.0, 1: 10.0},
        answering_seconds=4.0,
        training_seconds=20.0,
        overhead_seconds=2.0,
        end_seconds=5.0,
        trials=10,
        minutes=None,
        parallel=2,
        share_trained=0.5,
        worker_bytes=100,
        data_bytes=7,
        machine_bytes=1000,
        cache_bytes=0,
        cached_bytes=0,
    )


def test_time_is_worked_out_from_its_parts(by_hand):
    assert by_hand.teachers_seconds == 22.0  # (30 + 10) / 2 at once, and 4 / 2
    assert by_hand.trial_seconds == 12.0  # a half of them is refused, and costs the overhead alone
    assert by_hand.trials_seconds == 60.0
    assert by_hand.total_seconds == 97.0
    assert by_hand.memory_bytes == 307


def test_whatever_ends_first_ends_the_search(by_hand):
    assert replace(by_hand, minutes=0.5).trials_seconds == 30.0
    assert replace(by_hand, minutes=60.0).trials_seconds == 60.0
    assert replace(by_hand, trials=None, minutes=2.0).trials_seconds == 120.0
    assert math.isinf(replace(by_hand, trials=None).total_seconds)
    # One trial cannot run twice at a time.
    assert replace(by_hand, trials=1).trials_seconds == 12.0
