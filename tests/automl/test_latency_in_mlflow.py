"""A member of the front whose latency was measured again on another day, as MLflow shows it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper

from automl.front.pareto_front import Member
from automl.run import Run
from automl.tracking import Summary, Tracker
from automl.tracking.models import model_file

EXAMPLE = np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8)


def write_graph(run: Run, member: Member) -> None:
    row, logits = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 8]) for name in ("row", "logits"))
    graph = helper.make_graph([helper.make_node("Relu", ["row"], ["logits"])], "graph", [row], [logits])
    path = model_file(run.folder, member)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def finish(run: Run) -> str:
    tracker = Tracker(
        None,
        run.folder,
        experiment=run.name,
        objectives=run.front.objectives,
        primary_metric=run.primary_metric,
    )
    tracker.finish(Summary(run=run, example=EXAMPLE))
    return str(tracker.close(seconds=60))


def test_a_latency_that_was_measured_again_takes_the_place_of_the_one_before(make_run: Callable[..., Run]) -> None:
    from mlflow import MlflowClient

    run = make_run(3)
    run.folder.mkdir(parents=True)
    member = run.front.members[0]
    run = replace(run, front=replace(run.front, members=(member,)))
    write_graph(run, member)
    assert finish(run) == ""
    ms = member.metrics["latency_ms"] * 1.25
    later_ms = int(run.trials[-1].ended.timestamp() * 1000) + 86_400_000
    slower = replace(
        member,
        metrics={**member.metrics, "latency_ms": ms},
        latency=replace(member.latency, median_ms=ms, timestamp_ms=later_ms),
    )
    again = replace(run, front=replace(run.front, members=(slower,)))
    for _ in range(2):  # Sent twice, it is there once.
        assert finish(again) == ""
    client = MlflowClient(f"sqlite:///{run.folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(run.name)
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id], "tags.front = 'member'")
    name = "latency_ms" if member.precision == "float32" else "latency_ms.int8"
    assert found.data.metrics[name] == ms
    history = client.get_metric_history(found.info.run_id, name)
    assert [metric.value for metric in sorted(history, key=lambda metric: metric.timestamp)] == [
        member.metrics["latency_ms"],
        ms,
    ]
    assert len(client.get_metric_history(found.info.run_id, name.replace("latency_ms", "accuracy"))) == 1
