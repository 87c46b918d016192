"""What the search itself costs: trials a second, overhead, and the time of a proposal.

    python benchmarks/controller.py [--json]

Trials that do nothing show what the loop, the ledger and Ray cost; trials of one second show the share that this is of
real work, with tracking on. Proposals are timed with 10, 100 and 1,000 trials in the study.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from automl.cluster.executor import Executor, Share
from automl.front.objectives import Objective
from automl.samplers import SearchContext, make_sampler
from automl.searching.controller import Controller
from automl.searching.standing import Standing
from automl.searching.stop_rule import StopRule
from automl.searching.students import Students
from automl.study.ledger import Ledger, Proposal, open_ledger
from automl.tracking import SendingTrials, Tracker
from search_spaces import StudentSpec, convnet
from trials.recipe import LossTerm, Recipe
from trials.records import Artefacts, Candidate, Latency, Outcome, Trial, TrialResult

OBJECTIVES = (
    Objective(metric="accuracy", higher_is_better=True, worst=0.1, best=1.0),
    Objective(metric="size_bytes", higher_is_better=False, worst=1e6, best=1e3, log=True),
)
RECIPE = Recipe(losses=(LossTerm(name="hard_label", weight=1.0),), epochs=1, batch_size=64, learning_rate=0.01)
CHOICES = convnet().choices
CONTEXT = SearchContext(choices=CHOICES, objectives=OBJECTIVES)


def empty_trial(trial: Trial, seconds: float) -> tuple[TrialResult, Artefacts]:
    """Do nothing for a while and give a result that looks like a trained student's."""
    time.sleep(seconds)
    chance = np.random.default_rng(trial.number)
    metrics = {"accuracy": float(chance.uniform(0.5, 1)), "size_bytes": float(10 ** chance.uniform(3.1, 5.9))}
    latency = Latency(median_ms=1.0, low_ms=0.9, high_ms=1.1, runs=100, provisional=False, device="none")
    candidate = Candidate(precision="float32", metrics=metrics, latency=latency)
    result = TrialResult(
        number=trial.number, digest=trial.digest, outcome=Outcome.TRAINED, candidates=(candidate,), seconds=seconds
    )
    return result, Artefacts(files={"model.onnx": b"0" * 1000})


def make_trial(proposal: Proposal) -> Trial:
    """Make a trial that differs from all others."""
    spec = StudentSpec(space="convnet", values=proposal.values)
    return Trial(number=proposal.number, spec=spec, recipe=RECIPE, seed=proposal.number)


def open_empty(folder: Path, *, sampler: str, sqlite: bool = False) -> Ledger:
    """Make a study in a folder: a journal, or a database of SQLite to compare with."""
    return open_ledger(
        folder,
        storage=f"sqlite:///{folder / 'study.db'}" if sqlite else None,
        name="benchmark",
        choices=CHOICES,
        directions=["maximize", "minimize"],
        sampler=make_sampler(sampler, seed=0, options={}, context=CONTEXT),
    )


def run_trials(
    executor: Executor, *, num_trials: int, seconds: float, track: bool = False, sqlite: bool = False
) -> float:
    """Run a search of empty trials, two at a time.

    Returns:
        Seconds from the first proposal to the last result in the ledger.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tracker = None
        listeners: tuple[Any, ...] = ()
        if track:
            tracker = Tracker(None, folder, experiment="benchmark", objectives=OBJECTIVES, primary_metric="accuracy")
            tracker.ui_hint(seconds=60)  # Making the database is done once a search, and is not what is measured.
            listeners = (SendingTrials(tracker),)
        controller = Controller(
            ledger=open_empty(folder, sampler="random", sqlite=sqlite),
            executor=executor,
            make_trial=make_trial,
            function=empty_trial,
            setting=seconds,
            standing=Standing(OBJECTIVES, ()),
            students=Students(folder),
            share=Share(),
            in_flight=2,
            seconds=None,
            retries=0,
            stop=StopRule(trials=num_trials),
            listeners=listeners,
        )
        began = time.perf_counter()
        controller.run()
        taken = time.perf_counter() - began
        if tracker is not None:
            tracker.close()
    return taken


def proposal_seconds(sampler: str, counts: tuple[int, ...], *, repeats: int = 5) -> dict[str, float]:
    """Time a proposal of a sampler with some numbers of trials in the study; median of several."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        filling = open_empty(folder, sampler="random")
        done = 0
        for count in counts:
            for _ in range(done, count):
                trial = make_trial(filling.ask())
                filling.tell(trial, empty_trial(trial, 0.0)[0], objectives=OBJECTIVES, limits=())
            done = count + repeats
            ledger = open_empty(folder, sampler=sampler)
            times = []
            for _ in range(repeats):
                began = time.perf_counter()
                proposal = ledger.ask()
                times.append(time.perf_counter() - began)
                trial = make_trial(proposal)
                ledger.tell(trial, empty_trial(trial, 0.0)[0], objectives=OBJECTIVES, limits=())
            found[str(count)] = float(np.median(times))
            filling = open_empty(folder, sampler="random")
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--trials", type=int, default=300, help="empty trials")
    arguments = parser.parse_args()
    executor = Executor(cpus=2)
    run_trials(executor, num_trials=20, seconds=0.0)  # Workers start.
    empty = run_trials(executor, num_trials=arguments.trials, seconds=0.0)
    sqlite_trials = arguments.trials // 5
    sqlite = run_trials(executor, num_trials=sqlite_trials, seconds=0.0, sqlite=True)
    ideal = 20.0
    busy = run_trials(executor, num_trials=40, seconds=1.0, track=True)
    executor.close()
    figures = {
        "empty_trials_per_second": arguments.trials / empty,
        "empty_trials_per_second_sqlite": sqlite_trials / sqlite,
        "overhead_of_one_second_trials": busy / ideal - 1,
        "proposal_seconds": {
            name: proposal_seconds(name, (10, 100, 1000)) for name in ("random", "nsga2", "tpe", "pareto")
        },
    }
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"empty trials, two workers, durable ledger: {figures['empty_trials_per_second']:.1f} a second")
    print(f"the same with SQLite as ledger: {figures['empty_trials_per_second_sqlite']:.1f} a second")
    print(f"trials of one second, tracking on: {busy:.2f} s instead of {ideal:.0f} s, {busy / ideal - 1:.1%} overhead")
    for name, times in figures["proposal_seconds"].items():
        print(f"a proposal of {name}: " + ", ".join(f"{1e3 * s:.1f} ms with {n} trials" for n, s in times.items()))


if __name__ == "__main__":
    main()
