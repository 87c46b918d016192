"""Every trial reaches MLflow once, whatever breaks on the way."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from numpy.typing import NDArray

from automl.run import Run
from automl.tracking import Summary, Tracker, TrackingReport
from automl.tracking import tracker as tracker_module
from automl.tracking.connection import default_uri
from automl.tracking.experiment import Experiment
from automl.tracking.rows import trial_row

Store = Any  # of conftest.py, which cannot be imported


def test_trials_are_sent_in_order_and_once(run: Run, start: Callable[..., Tracker], store: Store) -> None:
    tracker = start()
    for number in (3, 0, 6, 7, 3):
        tracker.add(run.trials[number])
    report = tracker.close(seconds=20)
    assert report == TrackingReport(sent=4, unsent=0, refused=(), summary_owed=False, problem="")
    assert str(report) == ""
    assert store.names() == ["trial-0003", "trial-0000", "trial-0006", "trial-0007"]


@pytest.mark.parametrize(
    ("method", "works_first"), [("log_batch", False), ("log_batch", True), ("set_terminated", False)]
)
def test_a_controller_killed_while_it_sends_leaves_no_trial_out_and_none_twice(
    run: Run, start: Callable[..., Tracker], method: str, works_first: bool, store: Store
) -> None:
    experiment = store.experiment()
    for finished in run.trials[:4]:
        experiment.send_trial(finished)
    real = getattr(experiment.client, method)

    def die(*arguments: Any, **named: Any) -> None:
        if works_first:
            real(*arguments, **named)
        raise SystemExit("killed")

    setattr(experiment.client, method, die)
    with pytest.raises(SystemExit):
        experiment.send_trial(run.trials[4])
    assert store.rows("SELECT status FROM runs WHERE name = 'trial-0004'") == [("RUNNING",)]

    tracker = start()
    tracker.sync(run)
    assert tracker.close(seconds=20).sent == len(run.trials)
    assert sorted(store.names()) == [f"trial-{number:04d}" for number in range(8)]
    undisturbed = trial_row(run.trials[4], folder="", logarithmic=("latency_ms", "size_bytes"))
    stored = store.rows(
        "SELECT key, step, timestamp, value FROM metrics JOIN runs USING (run_uuid) WHERE name = 'trial-0004'",
    )
    assert sorted(stored) == sorted((row.key, row.step, row.timestamp_ms, row.value) for row in undisturbed.metrics)
    assert store.rows("SELECT status, end_time FROM runs WHERE name = 'trial-0004'") == [
        ("FINISHED", undisturbed.end_ms)
    ]


def test_an_answer_that_is_lost_makes_no_second_run(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    class Losing(Experiment):
        lost = 0

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            create = self.client.create_run

            def lose(*args: Any, **options: Any) -> Any:
                made = create(*args, **options)
                if Losing.lost < 2:
                    Losing.lost += 1
                    raise ConnectionError("answer lost")
                return made

            self.client.create_run = lose

    monkeypatch.setattr(tracker_module, "Experiment", Losing)
    tracker = start()
    for finished in run.trials[:3]:
        tracker.add(finished)
    assert tracker.close(seconds=20).unsent == 0
    assert Losing.lost == 2
    assert store.names() == ["trial-0000", "trial-0001", "trial-0002"]


def test_a_run_made_twice_is_kept_once(run: Run, store: Store) -> None:
    experiment = store.experiment()
    row = trial_row(run.trials[0], folder=str(run.folder))
    experiment.client.create_run(experiment.id, start_time=row.start_ms, tags=dict(row.tags), run_name=row.name)
    experiment.send_trial(run.trials[0])
    assert len(store.names()) == 2
    assert store.experiment().missing(run.trials[:1]) == []
    assert store.names() == ["trial-0000"]
    kept = store.rows("SELECT status FROM runs WHERE lifecycle_stage = 'active'")
    assert kept == [("FINISHED",)], "the whole one is kept"


def test_what_exceeds_the_queue_is_sent_from_the_run(run: Run, start: Callable[..., Tracker], store: Store) -> None:
    tracker = start(max_waiting=2)
    for finished in run.trials:
        tracker.add(finished)
    tracker.sync(run)
    report = tracker.close(seconds=20)
    assert (report.sent, report.unsent) == (8, 0)
    assert len(store.names()) == 8


def test_a_refused_trial_holds_up_no_other(
    run: Run, start: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    class Strict(Experiment):
        def send_trial(self, finished: Any) -> str:
            if finished.trial.number == 1:
                raise ValueError("a bug in the record")
            return super().send_trial(finished)

    monkeypatch.setattr(tracker_module, "Experiment", Strict)
    tracker = start()
    tracker.add(run.trials[0])
    tracker.add(run.trials[1])
    tracker.sync(replace(run, trials=run.trials[:4]))
    report = tracker.close(seconds=20)
    assert report.sent == 3
    assert report.unsent == 0
    assert "MLflow refused trial 1: a bug in the record" in str(report)
    assert store.names() == ["trial-0000", "trial-0002", "trial-0003"]


def test_another_search_of_the_same_name_gets_an_experiment_of_its_own(run: Run, store: Store) -> None:
    first = store.experiment()
    assert store.experiment().id == first.id
    other = run.folder.parent / "other"
    second = Experiment(default_uri(run.folder), other, name=run.name, tags={})
    assert second.id != first.id
    assert second.client.get_experiment(second.id).name == "digits (2)"


def test_no_value_of_a_trial_is_there_twice(
    run: Run, start: Callable[..., Tracker], store: Store, example: NDArray[Any]
) -> None:
    store.export_members()
    tracker = start()
    for finished in run.trials:
        tracker.add(finished)
    tracker.finish(Summary(run=run, example=example))
    tracker.close(seconds=20)
    twice = "SELECT run_uuid, key, step FROM metrics GROUP BY run_uuid, key, step HAVING count(*) > 1"
    assert store.rows(twice) == []
    assert store.rows("SELECT count(*) FROM metrics WHERE key = 'test_accuracy'") != [(0,)]
