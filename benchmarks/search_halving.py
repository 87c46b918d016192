"""What halving saves: the share of the true front that is found for so many epochs, with a rung early and without.

Run it from the root of the repository, with the folder of the tables (see ``benchmarks/_tabular.py``)::

    python benchmarks/search_halving.py --data FOLDER --task nb201:c10:gold_6226 --sampler pareto

NAS-Bench-201 holds what each cell reaches after 12 epochs of a short training and after 200 of the whole one. Here a
trial is 200 epochs. With halving it comes to a rung after 12, where it is compared by these accuracies, and goes on if
it is among the best of those that have come there (``automl.searching.halving``); one that is stopped took 12. Trials
run beside each other, each epoch of one as long as that of another. Latency and parameters are known before a trial.

Shape letters: S = seeds, B = budgets.
"""

import argparse
import heapq
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
from _tabular import TabularTask, load_task
from numpy.typing import NDArray
from search_efficiency import context_of

from automl.front.objectives import to_losses
from automl.samplers import SAMPLERS, make_sampler
from automl.samplers.distributions import distribution_of
from automl.searching.halving import is_among_best

WHOLE, RUNG = 200, 12
REPORTED = (25, 50, 100)
"""Evaluations whose epochs are reported; with halving half as many epochs."""


class Race:
    """Trials of one search beside each other, each event at its epoch."""

    def __init__(self, task: TabularTask, *, sampler: str, reduction: int | None, in_flight: int, seed: int) -> None:
        """Begin.

        Args:
            task: The table.
            sampler: A name in the catalog.
            reduction: At the rung one in so many goes on; None trains each to its end.
            in_flight: Trials at a time.
            seed: Of the search.
        """
        self._task = task
        self._context = context_of(task, exact=True)
        self._distributions = {choice.name: distribution_of(choice) for choice in task.choices}
        self._reduction = reduction
        self._in_flight = in_flight
        self._study = optuna.create_study(
            directions=["maximize", "minimize", "minimize"],
            sampler=make_sampler(sampler, seed=seed, options={}, context=self._context),
        )
        self._known: set[int] = set()
        self._at_rung: list[dict[str, float]] = []

    def run(self, most_epochs: int) -> Iterator[tuple[int, int]]:
        """Search until so many epochs are spent, all trials together; give the epochs spent and the row of each end."""
        events: list[tuple[int, int, optuna.Trial, int, bool]] = []  # when, order, trial, row, whether at its rung
        now = spent = count = 0
        while spent <= most_epochs:
            while len(events) < self._in_flight:
                trial, row = self._propose()
                first = WHOLE if self._reduction is None else RUNG
                heapq.heappush(events, (now + first, count, trial, row, self._reduction is not None))
                count += 1
            now, order, trial, row, at_rung = heapq.heappop(events)
            if not at_rung:
                spent += WHOLE if self._reduction is None else WHOLE - RUNG
                self._study.tell(trial, list(self._told(row)))
                yield spent, row
                continue
            spent += RUNG
            if self._goes_on(trial, row):
                heapq.heappush(events, (now + WHOLE - RUNG, order, trial, row, False))
            else:
                self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def _propose(self) -> tuple[optuna.Trial, int]:
        """Ask for an architecture that was not tried; what is none, or is known, costs nothing."""
        while True:
            trial = self._study.ask()
            values = {name: trial._suggest(name, domain) for name, domain in self._distributions.items()}
            row = self._task.row(values)
            if row is not None and row not in self._known:
                self._known.add(row)
                return trial, row
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _told(self, row: int) -> Iterator[float]:
        metrics = self._task.metrics(row)
        return (metrics[objective.metric] for objective in self._context.objectives)

    def _goes_on(self, trial: optuna.Trial, row: int) -> bool:
        assert self._reduction is not None
        assert self._task.early_accuracy_R is not None
        shown = {**self._task.metrics(row), "accuracy": float(self._task.early_accuracy_R[row])}
        self._at_rung.append(shown)
        goes_on = is_among_best(to_losses(self._at_rung, self._context.objectives), reduction=self._reduction)
        # As the ledger writes it, for samplers that learn from what stopped trials showed.
        record = {"rung": RUNG, "epoch": RUNG, "candidate": {"metrics": shown}, "goes_on": goes_on}
        trial.set_user_attr("rungs", [record])
        return goes_on


def shares(task: TabularTask, race: Race, budgets: list[int]) -> list[float]:
    """Give the share of the true hypervolume that is found within each budget of epochs."""
    ends = list(race.run(budgets[-1]))
    rows: NDArray[np.int64] = np.array([row for _, row in ends], dtype=np.int64)
    spent = np.array([epochs for epochs, _ in ends])
    return [task.share(rows[: int(np.searchsorted(spent, budget, side="right"))]) for budget in budgets]


def main() -> None:
    """Measure, and print what was found."""
    arguments = _arguments()
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    task = load_task(arguments.task, arguments.data)
    if task.early_accuracy_R is None:
        raise SystemExit(f"{arguments.task} has no accuracy after a short training; take one of nb201")
    whole = [count * WHOLE for count in REPORTED]
    races = {"whole": (None, whole), "halved": (arguments.reduction, [epochs // 2 for epochs in whole])}
    found = {}
    for name, (reduction, budgets) in races.items():
        found[name] = np.array(
            [
                shares(
                    task,
                    Race(
                        task,
                        sampler=arguments.sampler,
                        reduction=reduction,
                        in_flight=arguments.in_flight,
                        seed=seed,
                    ),
                    budgets,
                )
                for seed in range(arguments.seeds)
            ]
        )
    means = {
        name: {
            str(budget): (float(share_S.mean()), float(share_S.std()))
            for budget, share_S in zip(races[name][1], share_SB.T, strict=True)
        }
        for name, share_SB in found.items()
    }
    if arguments.json:
        print(json.dumps({"task": arguments.task, "sampler": arguments.sampler, "seeds": arguments.seeds, **means}))
        return
    print(f"{arguments.task}, {arguments.sampler}, {arguments.in_flight} in flight, {arguments.seeds} seeds")
    for name, by_budget in means.items():
        for budget, (mean, deviation) in by_budget.items():
            print(f"  {name:<6} {budget:>6} epochs: {mean:.3f} ± {deviation:.3f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--task", default="nb201:c10:gold_6226", help="one of nb201")
    parser.add_argument("--sampler", default="pareto", help=f"one of {', '.join(sorted(SAMPLERS))}")
    parser.add_argument("--reduction", type=int, default=3, help="at the rung one in so many goes on")
    parser.add_argument("--seeds", type=int, default=10, help="from 0 on")
    parser.add_argument("--in-flight", type=int, default=8, help="trials at a time")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


if __name__ == "__main__":
    main()
