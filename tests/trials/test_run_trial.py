"""One trial, start to end, on the handwritten digits."""

import errno
import json
import math
import pickle
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from search_spaces import SPACES, Categorical, Choice, SearchSpace, count
from teachers import Coverage, TeacherEnsemble, TeacherOutputs
from trials import judging, stages, templates
from trials.data import READERS, split
from trials.description import load_student
from trials.distill import distill
from trials.export import onnx_predictor
from trials.recipe import HARD_LABEL, LossTerm, Recipe
from trials.records import Latency, LatencySettings, Limit, Outcome, Trial
from trials.run_trial import Setting, judge_on_test, measure_alone, measure_untrained, run_trial
from trials.student import normalisation
from trials.tasks import Classification

MLP = SPACES["mlp"]()
POINT = {"depth": 1, "activation": "relu", "normalisation": "batch", "shortcut": False, "dropout": 0.1}
SPEC = MLP.spec(POINT | {"layer1.width": 24})
RECIPE = Recipe(losses=(LossTerm(name=HARD_LABEL, weight=1.0),), epochs=4, batch_size=32, learning_rate=0.01)
QUICK = LatencySettings(warmup_runs=1, min_runs=6, seconds=0.0)
METRICS = {"accuracy", "balanced_accuracy", "macro_f1", "cross_entropy", "latency_ms", "size_bytes", "params", "macs"}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def setting():
    dataset = split(READERS["sklearn"](name="digits"), validation=0.2, test=0.2, seed=0)
    return Setting(
        space=MLP,
        dataset=dataset,
        task=Classification.for_dataset(dataset),
        statistics=normalisation(dataset),
        precisions=("float32", "int8"),
        latency=QUICK,
    )


@pytest.fixture(scope="module")
def trained(setting):
    return run_trial(trial(), setting)


def trial(**fields):
    return Trial(**{"number": 7, "spec": SPEC, "recipe": RECIPE, "seed": 3} | fields)


def latency(median_ms):
    return Latency(median_ms=median_ms, low_ms=0.0, high_ms=9.0, runs=6, provisional=True, device="told")


def never(*arguments, **named):
    raise AssertionError("this must not happen")


def last_line(result):
    return result.error.rstrip().splitlines()[-1]


def without_times(result):
    candidates = [
        replace(candidate, latency=latency(0.0), metrics={**candidate.metrics, "latency_ms": 0.0})
        for candidate in result.candidates
    ]
    history = [replace(record, seconds=0.0) for record in result.history]
    return replace(result, candidates=tuple(candidates), history=tuple(history), seconds=0.0, peak_memory_bytes=0)


def test_a_trained_student_comes_in_every_precision_with_all_metrics(trained, setting):
    result, _ = trained
    assert (result.outcome, result.error) == (Outcome.TRAINED, "")
    assert (result.number, result.digest) == (7, trial().digest)
    assert [candidate.precision for candidate in result.candidates] == ["float32", "int8"]
    names = METRICS | {f"accuracy.{name}" for name in setting.dataset.class_names}
    for candidate in result.candidates:
        assert set(candidate.metrics) == names
        assert all(math.isfinite(value) for value in candidate.metrics.values())
        assert candidate.metrics["accuracy"] > 0.9
        assert candidate.metrics["latency_ms"] == candidate.latency.median_ms > 0
    cost = count(MLP, SPEC, setting.task.signature(setting.dataset))
    assert {(c.metrics["params"], c.metrics["macs"]) for c in result.candidates} == {(cost.params, cost.macs)}
    float32, int8 = result.candidates
    assert float32.parity_max_abs_difference < 1e-4
    assert float32.agreement_share is None
    assert 0.9 < int8.agreement_share <= 1
    assert int8.parity_max_abs_difference is None
    assert [record.epoch for record in result.history] == [1, 2, 3, 4]
    assert result.peak_memory_bytes > 2**20
    assert result.seconds > 0


def test_files_of_a_trained_student_load_back_with_its_accuracy(trained, setting, tmp_path):
    result, artefacts = trained
    assert set(artefacts.files) == {"model.onnx", "model.int8.onnx", "model.safetensors", "student.json"}
    for name, content in artefacts.files.items():
        (tmp_path / name).write_bytes(content)
    student = load_student(tmp_path, MLP.build)
    dataset = setting.dataset
    batch = dataset.batch(dataset.splits["validation"])
    with torch.no_grad():
        right = student(batch.inputs).argmax(dim=-1) == batch.labels
    assert float(right.float().mean()) == pytest.approx(result.candidates[0].metrics["accuracy"])
    for candidate, name in zip(result.candidates, ("model.onnx", "model.int8.onnx"), strict=True):
        assert candidate.metrics["size_bytes"] == len(artefacts.files[name])
        onnx.checker.check_model(onnx.load_from_string(artefacts.files[name]))
        answers = onnx_predictor(artefacts.files[name])(batch.inputs).argmax(axis=-1)
        assert float((answers == batch.labels.numpy()).mean()) == pytest.approx(candidate.metrics["accuracy"])
    described = json.loads(artefacts.files["student.json"])
    assert described["feature_names"] is None
    assert described["digest"] == result.digest
    assert described["metrics"]["int8"]["accuracy"] == result.candidates[1].metrics["accuracy"]


def test_the_same_seed_gives_the_same_result_and_another_does_not(trained, setting):
    again, artefacts = run_trial(trial(), setting)
    assert without_times(again) == without_times(trained[0])
    assert artefacts.files["model.onnx"] == trained[1].files["model.onnx"]
    assert artefacts.files["model.safetensors"] == trained[1].files["model.safetensors"]
    other, _ = run_trial(trial(seed=4), replace(setting, precisions=("float32",)))
    assert other.candidates[0].metrics["cross_entropy"] != again.candidates[0].metrics["cross_entropy"]


def test_results_travel(trained):
    assert pickle.loads(pickle.dumps(trained[0])) == trained[0]


@pytest.mark.parametrize("optimizer", ["adamw", "none"])
def test_random_state_of_the_process_is_put_back_whatever_comes(setting, optimizer):
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    run_trial(trial(recipe=replace(RECIPE, optimizer=optimizer)), replace(setting, precisions=("float32",)))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_threads_are_those_of_the_setting_and_put_back_after(setting, monkeypatch):
    def count_threads(student, lesson, **_):
        raise RuntimeError(f"{torch.get_num_threads()} threads")

    monkeypatch.setattr(stages, "distill", count_threads)
    result, _ = run_trial(trial(), replace(setting, threads=2))
    assert last_line(result) == "RuntimeError: 2 threads"
    assert torch.get_num_threads() == 1


def test_teachers_are_heard(setting):
    dataset = replace(setting.dataset, labelled=np.zeros(len(setting.dataset), dtype=bool))
    truth_NC = 5 * torch.eye(10)[torch.from_numpy(dataset.labels)]
    ensemble = TeacherEnsemble({"a": Coverage()}, num_classes=10, num_rows=len(dataset), columns={})
    recipe = replace(RECIPE, losses=(LossTerm(name="kd", weight=1.0),))
    taught = replace(
        setting,
        dataset=dataset,
        ensemble=ensemble,
        teachers=lambda batch, features=(): TeacherOutputs(logits=truth_NC[batch.index][None]),
        precisions=("float32",),
    )
    result, _ = run_trial(trial(recipe=recipe), taught)
    assert result.error == ""
    assert result.candidates[0].metrics["accuracy"] > 0.75
    assert set(result.history[0].losses) == {"kd"}


def test_a_limit_broken_in_every_precision_refuses_before_training(setting, trained, monkeypatch):
    monkeypatch.setattr(stages, "distill", never)
    result, artefacts = run_trial(trial(), replace(setting, limits=(size_limit(100),)))
    assert (result.outcome, result.error, result.history) == (Outcome.INFEASIBLE, "", ())
    assert not artefacts.files
    assert [candidate.precision for candidate in result.candidates] == ["float32", "int8"]
    for refused, known in zip(result.candidates, trained[0].candidates, strict=True):
        assert set(refused.metrics) == {"latency_ms", "size_bytes", "params", "macs"}
        assert refused.metrics["params"] == known.metrics["params"]
        assert refused.metrics["size_bytes"] == pytest.approx(known.metrics["size_bytes"], rel=0.01)


def size_limit(value):
    return Limit(metric="size_bytes", at_most=True, value=value)


def test_a_limit_that_one_precision_keeps_lets_the_student_train(setting, trained):
    sizes = [candidate.metrics["size_bytes"] for candidate in trained[0].candidates]
    assert sizes[1] < sizes[0]
    result, _ = run_trial(trial(), replace(setting, limits=(size_limit(sum(sizes) / 2),)))
    assert result.outcome is Outcome.TRAINED
    assert len(result.candidates) == 2


@pytest.mark.parametrize(("median_ms", "refused"), [(1.6, False), (1.7, True)])
def test_latency_is_refused_only_beyond_the_margin(setting, monkeypatch, median_ms, refused):
    # The limit is 1 ms, and up to 40 % of what is measured may be owed to other work: 0.6 · 1.6 is below 1.
    monkeypatch.setattr(judging, "measure_latency", never)
    monkeypatch.setattr(stages, "distill", lambda student, lesson, **_: distill(student, lesson, until_epoch=1))
    limit = Limit(metric="latency_ms", at_most=True, value=1.0)
    asked = trial(known_latency={"float32": latency(median_ms), "int8": latency(median_ms)})
    result, _ = run_trial(asked, replace(setting, limits=(limit,)))
    assert result.error == ""
    assert result.outcome is (Outcome.INFEASIBLE if refused else Outcome.TRAINED)
    # What was known is not measured again, and stands in the result as it is.
    assert {candidate.metrics["latency_ms"] for candidate in result.candidates} == {median_ms}
    assert {candidate.latency.device for candidate in result.candidates} == {"told"}


def test_latency_is_measured_once_a_precision(setting, monkeypatch):
    measured = []

    def measure(graph, signature, settings, **varying):
        assert (signature, settings) == (setting.task.signature(setting.dataset), setting.latency)
        measured.append(graph)
        return latency(0.5)

    monkeypatch.setattr(judging, "measure_latency", measure)
    limit = Limit(metric="latency_ms", at_most=True, value=1.0)
    result, _ = run_trial(trial(), replace(setting, limits=(limit,)))
    assert result.outcome is Outcome.TRAINED
    assert len(set(measured)) == len(measured) == 2


def test_a_limit_on_accuracy_does_not_refuse_what_is_untrained(setting):
    limit = Limit(metric="accuracy", at_most=False, value=0.9999)
    result, _ = run_trial(trial(), replace(setting, limits=(limit,), precisions=("float32",)))
    assert result.outcome is Outcome.TRAINED


def test_untrained_costs_are_those_of_the_trained_student(setting, trained):
    candidates = measure_untrained(trial(), setting)
    assert [candidate.precision for candidate in candidates] == ["float32", "int8"]
    sizes = [candidate.metrics["size_bytes"] for candidate in candidates]
    assert sizes == pytest.approx([c.metrics["size_bytes"] for c in trained[0].candidates], rel=0.01)


def test_the_test_split_is_judged_at_the_end(setting, trained):
    graph = trained[1].files["model.onnx"]
    (alone,) = measure_alone([graph], [trial().spec], setting)
    assert not alone.provisional
    metrics = judge_on_test(graph, trial().spec, setting)
    assert 0.9 < metrics["test_accuracy"] < 1
    assert metrics["test_accuracy"] != trained[0].candidates[0].metrics["accuracy"]


def raising_space(error):
    def build(spec, signature):
        raise error

    return SearchSpace(name="own", choices=(Choice(name="a", domain=Categorical(options=(1, 2))),), build=build)


class Unsound(nn.Module):
    """Finite while it is trained, and not a number in use."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, inputs):
        outputs = self.linear(inputs.flatten(1))
        return outputs if self.training else outputs * torch.nan


def unsound_space():
    choices = (Choice(name="a", domain=Categorical(options=(1, 2))),)
    return SearchSpace(name="own", choices=choices, build=lambda spec, signature: Unsound())


def assert_failed(result, artefacts):
    assert result.outcome is Outcome.FAILED
    assert result.candidates == ()
    assert not artefacts.files
    assert result.error.startswith("Traceback")
    assert result.digest


def test_a_space_that_raises_is_a_failed_trial(setting):
    space = raising_space(RuntimeError("no such layer"))
    result, artefacts = run_trial(trial(spec=space.spec({"a": 1})), replace(setting, space=space))
    assert_failed(result, artefacts)
    assert last_line(result) == "RuntimeError: no such layer"


def test_a_loss_that_raises_is_a_failed_trial(setting):
    def broken(batch, features):
        raise KeyError("teacher")

    ensemble = TeacherEnsemble({"a": Coverage()}, num_classes=10, num_rows=len(setting.dataset), columns={})
    recipe = replace(RECIPE, losses=(LossTerm(name="kd", weight=1.0),))
    result, artefacts = run_trial(trial(recipe=recipe), replace(setting, ensemble=ensemble, teachers=broken))
    assert_failed(result, artefacts)
    assert last_line(result) == "KeyError: 'teacher'"


def test_a_mistake_in_the_recipe_fails_before_anything_is_built(setting):
    space = raising_space(AssertionError("built"))
    recipe = replace(RECIPE, schedule="none")
    result, artefacts = run_trial(trial(spec=space.spec({"a": 1}), recipe=recipe), replace(setting, space=space))
    assert_failed(result, artefacts)
    assert last_line(result).startswith("ValueError: unknown schedule 'none'")


def test_diverged_training_is_a_failed_trial(setting):
    recipe = replace(RECIPE, optimizer="sgd", learning_rate=1e30)
    spec = MLP.spec(POINT | {"layer1.width": 24, "normalisation": "none"})
    result, artefacts = run_trial(trial(spec=spec, recipe=recipe), setting)
    assert_failed(result, artefacts)
    assert "DivergedError: training diverged in epoch" in last_line(result)


def test_metrics_that_are_no_numbers_fail_the_trial(setting):
    space = unsound_space()
    result, artefacts = run_trial(
        trial(spec=space.spec({"a": 1})), replace(setting, space=space, precisions=("float32",))
    )
    assert_failed(result, artefacts)
    assert "the float32 student gives accuracy" in last_line(result)
    assert "that are not finite" in last_line(result)


def test_a_device_that_is_not_there_fails_the_trial(setting, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result, artefacts = run_trial(trial(), replace(setting, device="cuda"))
    assert_failed(result, artefacts)
    assert "PyTorch finds no CUDA here" in last_line(result)


def test_the_device_of_the_setting_reaches_the_lesson(setting, monkeypatch):
    lessons = []

    def taught(student, lesson, **_):
        lessons.append(lesson)
        return distill(student, lesson, until_epoch=1)

    monkeypatch.setattr(stages, "distill", taught)
    for device in ("auto", "cpu"):
        run_trial(trial(), replace(setting, device=device, precisions=("float32",)))
    assert [lesson.device for lesson in lessons] == ["auto", "cpu"]
    assert [lesson.seed for lesson in lessons] == [3, 3]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_not_the_student_s_fault(setting, number):
    space = raising_space(OSError(number, "no room"))
    before = torch.get_num_threads()
    with pytest.raises(OSError, match="no room"):
        run_trial(trial(spec=space.spec({"a": 1})), replace(setting, space=space, threads=2))
    assert torch.get_num_threads() == before


def test_another_fault_of_a_file_is_a_failed_trial(setting):
    space = raising_space(FileNotFoundError(errno.ENOENT, "nothing there"))
    assert_failed(*run_trial(trial(spec=space.spec({"a": 1})), replace(setting, space=space)))


def test_a_recipe_search_traces_its_architecture_once(setting, monkeypatch):
    traced = []
    trace = templates.trace
    monkeypatch.setattr(templates, "trace", lambda *given: traced.append(given) or trace(*given))
    monkeypatch.setattr(stages, "distill", lambda student, lesson, **_: distill(student, lesson, until_epoch=1))
    monkeypatch.setattr(judging, "measure_latency", lambda *given, **named: latency(0.5))
    templates.forget()
    plain = replace(setting, precisions=("float32",))
    graphs = set()
    for learning_rate in (0.01, 0.02, 0.03):
        result, artefacts = run_trial(trial(recipe=replace(RECIPE, learning_rate=learning_rate)), plain)
        assert result.candidates[0].parity_max_abs_difference < 1e-4  # The graph holds this student's weights.
        graphs.add(artefacts.files["model.onnx"])
    measure_untrained(trial(), plain)
    assert len(traced) == 1
    assert len(graphs) == 3
