"""Searches made up in a moment, for what reads a run, and a small real one, for what needs its files."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest

from automl.front.objectives import Objective
from automl.front.pareto_front import Member, pareto_front
from automl.run import FinishedTrial, Run, TeacherRecord
from search_spaces import StudentSpec, Value
from tests.automl.quick_trials import config  # noqa: F401 - a fixture
from tests.teachers.served import server  # noqa: F401 - a fixture
from trials.recipe import LossTerm, Recipe
from trials.records import Candidate, EpochRecord, Latency, Limit, Outcome, Trial, TrialResult

if TYPE_CHECKING:  # Importing Ray takes seconds, which most tests need not wait for.
    from automl.cluster.executor import Executor, Share, Task

OBJECTIVES = (
    Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0),
    Objective(metric="latency_ms", higher_is_better=False, worst=2.0, best=0.01, log=True),
    Objective(metric="size_bytes", higher_is_better=False, worst=400_000, best=2_000, log=True),
)
LIMITS = (Limit(metric="size_bytes", at_most=True, value=400_000), Limit(metric="latency_ms", at_most=True, value=2.0))
STARTED = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
DEVICE = "2 cores of a test machine"
ERROR = (
    'Traceback (most recent call last):\n  File "distill.py", line 88, in step\n'
    "RuntimeError: loss is not a number at epoch 3"
)


def proposed(rng: np.random.Generator) -> dict[str, Value]:
    """Draw choices as a sampler proposes them, some of them conditional."""
    stages = int(rng.integers(1, 3))
    values: dict[str, Value] = {"stages": stages, "stem.width": int(2 ** rng.integers(2, 6))}
    for stage in range(1, stages + 1):
        values[f"stage{stage}.block"] = str(rng.choice(["plain", "separable", "inverted"]))
        values[f"stage{stage}.depth"] = int(rng.integers(1, 4))
        values[f"stage{stage}.width"] = int(2 ** rng.integers(3, 7))
    values["learning_rate"] = float(10 ** rng.uniform(-2.7, -1.7))
    values["losses.kd.weight"] = float(10 ** rng.uniform(-0.3, 0.9))
    values["losses.kd.temperature"] = float(rng.choice([1.0, 2.0, 4.0]))
    values["weighting"] = str(rng.choice(["fixed", "entropy", "confidence"]))
    return values


def candidates_of(values: Mapping[str, Value], rng: np.random.Generator, *, trained: bool) -> tuple[Candidate, ...]:
    """Make measures up that hang together: wider is slower, larger and better."""
    params = 400.0 + sum(
        float(values[f"stage{stage}.width"]) ** 2 * float(values[f"stage{stage}.depth"]) * 5
        for stage in range(1, int(values["stages"]) + 1)
    )
    macs = params * 24
    quality = 1 - 0.5 * (params / 400) ** -0.45 - 0.03 * abs(math.log10(float(values["learning_rate"])) + 2.1)
    made = []
    for precision, shrink, speed in (("float32", 4.0, 1.0), ("int8", 1.15, 0.62)):
        median = (0.02 + params / 90_000) * speed * float(rng.uniform(0.9, 1.2))
        latency = Latency(
            median_ms=median,
            low_ms=median * 0.97,
            high_ms=median * 1.08,
            rounds=9,
            runs=300,
            provisional=True,
            device=DEVICE,
        )
        size = float(round(params * shrink + 1800))
        metrics = {"latency_ms": median, "size_bytes": size, "params": round(params), "macs": round(macs)}
        if trained:
            harm = float(rng.uniform(0, 0.04)) if precision == "int8" else 0.0
            accuracy = round(quality + float(rng.normal(0, 0.012)) - harm, 4)
            metrics |= {"accuracy": accuracy} | {
                f"accuracy.{digit}": min(1.0, accuracy + float(rng.normal(0, 0.01))) for digit in range(10)
            }
        parity = {"parity_max_abs_difference": 3e-6} if precision == "float32" else {"agreement_share": 0.992}
        made.append(Candidate(precision=precision, metrics=metrics, latency=latency, **parity))
    return tuple(made)


def finished_trial(number: int, outcome: Outcome, *, seed: int, limits: Sequence[Limit]) -> FinishedTrial:
    """Make one trial up, the same for the same seed and number."""
    rng = np.random.default_rng([seed, number])
    values = proposed(rng)
    recipe = Recipe(
        losses=(
            LossTerm(name="hard_label", weight=1.0),
            LossTerm(
                name="kd",
                weight=float(values["losses.kd.weight"]),
                options={"temperature": values["losses.kd.temperature"]},
            ),
        ),
        weighting=str(values["weighting"]),
        epochs=12,
        batch_size=64,
        learning_rate=float(values["learning_rate"]),
    )
    architecture = {name: value for name, value in values.items() if name.startswith("st")}
    trial = Trial(number=number, spec=StudentSpec(space="convnet", values=architecture), recipe=recipe, seed=number)
    history = tuple(
        EpochRecord(
            epoch=epoch,
            losses={
                "hard_label": 2.3 * math.exp(-epoch / 4) + float(rng.uniform(0.02, 0.06)),
                "kd": 3.1 * math.exp(-epoch / 5) + float(rng.uniform(0.05, 0.1)),
            },
            learning_rate=recipe.learning_rate * (1 + math.cos(math.pi * epoch / 12)) / 2,
            seconds=float(rng.uniform(0.2, 0.4)),
        )
        for epoch in range(1, 13)
    )
    candidates: tuple[Candidate, ...] = ()
    if outcome is not Outcome.FAILED:
        candidates = candidates_of(values, rng, trained=outcome is Outcome.TRAINED)
    if outcome is Outcome.INFEASIBLE and limits:
        candidates = tuple(
            replace(candidate, metrics={**candidate.metrics, limits[0].metric: limits[0].value * rng.uniform(1.2, 3)})
            for candidate in candidates
        )
    seconds = {Outcome.TRAINED: float(rng.uniform(3, 9)), Outcome.INFEASIBLE: 1.6, Outcome.FAILED: 2.2}[outcome]
    result = TrialResult(
        number=number,
        digest=trial.digest,
        outcome=outcome,
        candidates=candidates,
        history=history if outcome is Outcome.TRAINED else (),
        seconds=seconds,
        peak_memory_bytes=410_000_000,
        error=ERROR if outcome is Outcome.FAILED else "",
    )
    started = STARTED + timedelta(seconds=4 * number)
    return FinishedTrial(
        trial=trial, result=result, values=values, started=started, ended=started + timedelta(seconds=seconds)
    )


def members_of(finished: FinishedTrial, *, measured_alone: bool) -> list[Member]:
    """Turn the candidates of a trained trial into members, with their test metrics where the search has ended."""
    if finished.result.outcome is not Outcome.TRAINED:
        return []
    members = []
    for candidate in finished.result.candidates:
        metrics = dict(candidate.metrics)
        if measured_alone:
            metrics["test_accuracy"] = round(metrics["accuracy"] - 0.004, 4)
        members.append(
            Member(
                trial=finished.trial.number,
                digest=finished.result.digest,
                precision=candidate.precision,
                metrics=metrics,
                latency=replace(candidate.latency, provisional=not measured_alone),
                parity_max_abs_difference=candidate.parity_max_abs_difference,
                agreement_share=candidate.agreement_share,
            )
        )
    return members


TEACHERS = (("slanted_left", "left"), ("straight", "upright"), ("slanted_right", "right"))
"""Name and style of each teacher that is made up."""


def teacher_record(name: str, style: str, *, shift: int) -> TeacherRecord:
    """Make a teacher up that is good at home and poor abroad."""
    strength = {str(digit): round(0.97 - 0.04 * ((digit + shift) % 7), 3) for digit in range(10)}
    return TeacherRecord(
        name=name,
        kind="train",
        digest="0123456789ab",
        covers=f"style = {style}",
        metrics={"home": 0.97, "abroad": 0.61},
        by_label=strength,
        by_home={other: 0.97 if other == name else 0.61 for other, _ in TEACHERS},
    )


MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Give ``make(trials=12, finished=True, ...)``, which makes a whole run up, the same for the same arguments."""

    def make(
        trials: int = 12,
        *,
        finished: bool = True,
        outcomes: Mapping[int, Outcome] | None = None,
        objectives: tuple[Objective, ...] = OBJECTIVES,
        limits: tuple[Limit, ...] = LIMITS,
        num_teachers: int = 3,
        name: str = "digits",
        folder: Path | None = None,
        seed: int = 0,
    ) -> Run:
        """Make a run up.

        Args:
            trials: Number of ended trials; each seventh is infeasible, each eleventh failed.
            finished: Whether latencies are final and test metrics there.
            outcomes: Outcome by number of a trial, where it should be another.
            objectives: Of accuracy, latency_ms, size_bytes, params, macs.
            limits: What members keep.
            num_teachers: Up to 3.
            name: Of the run.
            folder: Defaults to ``runs/NAME`` below the test's folder; not made.
            seed: Another seed is another search.
        """
        usual = dict.fromkeys(range(6, trials, 7), Outcome.INFEASIBLE)
        usual |= dict.fromkeys(range(10, trials, 11), Outcome.FAILED) | dict(outcomes or {})
        ended = tuple(
            finished_trial(number, usual.get(number, Outcome.TRAINED), seed=seed, limits=limits)
            for number in range(trials)
        )
        members: list[Member] = []
        hypervolumes = []
        for each in ended:
            members += members_of(each, measured_alone=finished)
            hypervolumes.append(pareto_front(members, objectives, limits).hypervolume)
        return Run(
            name=name,
            folder=folder or tmp_path / "runs" / "digits",
            config_text=f"name: {name}\nseed: {seed}\nstudent:\n  space: convnet\n",
            primary_metric="accuracy",
            primary_higher_is_better=True,
            front=pareto_front(members, objectives, limits),
            limits=limits,
            trials=ended,
            hypervolumes=tuple(hypervolumes),
            teachers=tuple(teacher_record(*TEACHERS[index], shift=3 * index) for index in range(num_teachers)),
            machine={"device": "Test processor, 1 thread", "processors": "2", "memory": "8 GiB", "torch": "2.13.0"},
            finished=finished,
        )

    return make


class _Raised:
    """What a task raised."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class InProcessExecutor:
    """Runs each task as it is submitted, in this process; else as ``Executor``."""

    num_nodes = 1
    local = True

    def __init__(self, *, address: str | None = None) -> None:
        self.address = address
        self.submitted: list[str] = []

    def share(self, thing: object) -> Any:
        return thing

    def room(self, share: "Share") -> int:
        del share
        return 2

    def in_flight(self, asked: int | None, share: "Share") -> int:
        return asked or self.room(share)

    def on_one_machine(self, asked: int | None, share: "Share") -> int:
        return self.in_flight(asked, share)

    def submit(
        self,
        function: Callable[..., Any],
        *args: object,
        share: "Share",
        returns: int = 1,
        seconds: float | None = None,
        name: str = "",
    ) -> "Task":
        from automl.cluster.executor import Task

        del share, seconds
        self.submitted.append(name or function.__name__)
        try:
            result = function(*args)
        except Exception as error:
            return Task((_Raised(error),) * returns, None)
        return Task(tuple(result) if returns > 1 else (result,), None)

    def wait(self, tasks: "Sequence[Task]", *, seconds: float) -> "list[Task]":
        del seconds
        return list(tasks)

    def fetch(self, task: "Task", part: int = 0) -> Any:
        result = task.refs[part]
        if isinstance(result, _Raised):
            raise result.error
        return result

    def run_all(self, tasks: "Sequence[Task]") -> list[Any]:
        return [self.fetch(task) for task in tasks]

    def close(self) -> None:
        """There is nothing to leave."""


@pytest.fixture(scope="session")
def executor() -> "Iterator[Executor]":
    """Give a real cluster of two processors, one for all tests: starting it takes seconds."""
    from automl.cluster.executor import Executor

    made = Executor(cpus=2)
    yield made
    made.close()


@pytest.fixture(scope="session")
def in_process() -> type[InProcessExecutor]:
    """Give the class, to make an executor that needs no cluster."""
    return InProcessExecutor


SMALL_CONFIG = """
name: small
runs: {runs}
data: {{kind: sklearn, name: digits, labelled: 0.2}}
student:
  space: mlp
  choices: {{depth: [1], activation: [relu], normalisation: [batch], shortcut: [false], dropout: [0.0],
             layer1.width: [16, 64]}}
recipe:
  epochs: 2
  batch_size: 64
  learning_rate: 0.01
  losses: {{hard_label: {{weight: 1.0}}, kd: {{weight: 1.0, temperature: [1.0, 2.0]}}}}
teachers:
  - name: left
    kind: train
    covers: {{column: style, values: [left]}}
    student:
      space: mlp
      values: {{depth: 1, activation: relu, normalisation: batch, shortcut: false, dropout: 0.0, layer1.width: 32}}
    recipe: {{epochs: 4, batch_size: 32, learning_rate: 0.01, losses: {{hard_label: {{weight: 1.0}}}}}}
objectives: [accuracy, latency_ms, size_bytes]
limits: [size_bytes <= 50000]
precisions: [float32, int8]
latency: {{warmup_runs: 2, min_runs: 20, seconds: 0.01}}
search: {{sampler: random, trials: 3}}
"""


@pytest.fixture(scope="session")
def small_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the config of a search that takes seconds."""
    folder = tmp_path_factory.mktemp("small")
    path = folder / "small.yaml"
    path.write_text(SMALL_CONFIG.format(runs=folder / "runs"))
    return path


@pytest.fixture(scope="session")
def small_run(small_config: Path) -> Run:
    """Search students for real, in this process, without tracking and report; its folder must stay as it is."""
    from automl.searching.search import search

    with (
        mock.patch("automl.searching.search.Executor", InProcessExecutor),
        mock.patch("automl.searching.search.Tracker") as tracker,
        mock.patch("automl.searching.search._summary"),
        mock.patch("automl.searching.search.write_report"),
    ):
        tracker.return_value.ui_hint.return_value = None
        tracker.return_value.close.return_value = ""
        return search(small_config)
