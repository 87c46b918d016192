"""A controller whose trials take no time, and whose executor ends them as a script says."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from automl.cluster.executor import Share, Task
from automl.front.objectives import Objective
from automl.run import FinishedTrial
from automl.samplers import SearchContext, make_sampler
from automl.searching.controller import Controller
from automl.searching.halving import Halving
from automl.searching.standing import Standing
from automl.searching.stop_rule import StopRule
from automl.searching.students import Students
from automl.study.ledger import Ledger, Proposal, open_ledger
from search_spaces import Choice, Integer, Real, StudentSpec
from trials.recipe import LossTerm, Recipe
from trials.records import Artefacts, Candidate, Latency, Outcome, Trial, TrialResult

WIDE = (Choice(name="width", domain=Real(low=1.0, high=1000.0, log=True)),)
NARROW = (Choice(name="width", domain=Integer(low=1, high=3)),)
OBJECTIVES = (
    Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0),
    Objective(metric="size_bytes", higher_is_better=False, worst=1e4, best=1.0, log=True),
)
LATENCY = Latency(median_ms=1.0, low_ms=0.9, high_ms=1.1, runs=10, provisional=True, device="none")
RECIPE = Recipe(losses=(LossTerm(name="hard_label", weight=1.0),), epochs=1, batch_size=8, learning_rate=0.01)
Function = Callable[..., Any]


def make_trial(proposal: Proposal) -> Trial:
    spec = StudentSpec(space="own", values=proposal.values)
    return Trial(number=proposal.number, spec=spec, recipe=RECIPE, seed=0)


def trained(trial: Trial, setting: Any = None, /, **metrics: float) -> tuple[TrialResult, Artefacts]:
    """Train nothing: the wider, the better and the larger."""
    del setting
    width = float(trial.spec.values["width"])
    found = {"accuracy": 1 - 1 / (1 + width), "size_bytes": width, **metrics}
    latency = trial.known_latency.get("float32", replace(LATENCY, median_ms=1.0 + trial.number))
    candidate = Candidate(precision="float32", metrics=found, latency=latency)
    result = TrialResult(number=trial.number, digest=trial.digest, outcome=Outcome.TRAINED, candidates=(candidate,))
    return result, Artefacts(files={"graph": trial.digest.encode()})


class Listening:
    def __init__(self) -> None:
        self.finished: list[FinishedTrial] = []
        self.ticks: list[tuple[int, int]] = []

    def on_finished(self, finished: FinishedTrial, standing: Standing) -> None:
        self.finished.append(finished)
        assert standing.finished[-1] is finished

    def on_tick(self, standing: Standing, *, running: int, proposed: int) -> None:
        del standing
        self.ticks.append((running, proposed))


class Search:
    """A search in a folder; made again, it goes on."""

    def __init__(self, folder: Path, executor: Any, function: Function = trained, **changes: Any) -> None:
        choices = changes.pop("choices", WIDE)
        limits = changes.pop("limits", ())
        self.folder = folder
        self.ledger: Ledger = open_ledger(
            folder,
            storage=changes.pop("storage", None),
            name="s",
            choices=choices,
            directions=["maximize", "minimize"],
            sampler=make_sampler(
                "random", seed=0, options={}, context=SearchContext(choices=choices, objectives=OBJECTIVES)
            ),
        )
        self.standing = Standing(OBJECTIVES, limits)
        for finished in self.ledger.finished():
            self.standing.add(finished)
        self.listening = Listening()
        self.students = changes.pop("students", Students(folder))
        rungs = changes.pop("rungs", None)
        settings: dict[str, Any] = {
            "share": Share(cpus=1.0),
            "in_flight": 1,
            "seconds": None,
            "retries": 0,
            "stop": StopRule(trials=4),
        }
        self.controller = Controller(
            ledger=self.ledger,
            executor=executor,
            make_trial=changes.pop("make_trial", make_trial),
            function=function,
            setting=None,
            standing=self.standing,
            students=self.students,
            listeners=(self.listening,),
            halving=None if rungs is None else Halving(rungs, ledger=self.ledger, standing=self.standing),
            **(settings | changes),
        )

    def run(self) -> str:
        return self.controller.run()

    @property
    def outcomes(self) -> list[tuple[int, str]]:
        return [(f.trial.number, f.result.outcome.value) for f in self.ledger.finished()]


class Scripted:
    """An executor whose tasks end as a script says: a result, or an error that ``fetch`` raises, one a submission."""

    def __init__(self, *script: Exception | None, stop_after: int | None = None) -> None:
        self.script = list(script)
        self.submitted: list[int] = []
        self.waits = 0
        self._stop_after = stop_after

    def submit(self, function: Function, trial: Trial, setting: Any, *rung: Any, **_: Any) -> Task:
        self.submitted.append(trial.number)
        error = self.script.pop(0) if self.script else None
        result, left = function(trial, setting, *rung)
        return Task((result, left, error), None)

    def wait(self, tasks: Sequence[Task], *, seconds: float) -> list[Task]:
        del seconds
        self.waits += 1
        if self.waits == self._stop_after:
            raise KeyboardInterrupt
        return [tasks[0]]

    def fetch(self, task: Task, part: int = 0) -> Any:
        if task.refs[2] is not None:
            raise task.refs[2]
        return task.refs[part]


def tmp_path_of(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name
