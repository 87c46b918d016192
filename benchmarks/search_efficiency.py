"""How much of the true front a sampler finds in so many evaluations, on tables that hold every answer.

Run it from the root of the repository, with the folder of the tables (see ``benchmarks/_tabular.py``)::

    python benchmarks/search_efficiency.py --data FOLDER --task nb201:c10:gold_6226 --sampler pareto

Objectives are accuracy, latency and parameters. An evaluation is one architecture that was not evaluated before:
proposals of what is known, or of what is no architecture, cost nothing but the proposal. ``--in-flight`` trials run at
a time; each waits for those before it. With ``--cheap exact`` latency and parameters are known before a trial, with
``revealed`` latency is known after it only.

Beside the names of the catalog, and ``package.module:name``, there is ``nsga2_unique``: NSGA-II that takes no point
into a generation twice. Optuna's own fills its generations with copies, which ``nsga2`` is told the known answer of.
Search methods of other packages (``benchmarks/_peers.py``) are named after these, as ``pymoo_nsga2``.
"""

import argparse
import json
import time
import warnings
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from _peers import PEERS, make_peer
from _searchers import UNIQUE, OptunaSearcher, Searcher
from _tabular import TASKS, TabularTask, load_task
from numpy.typing import NDArray

from automl.front.objectives import Objective
from automl.samplers import SAMPLERS, SearchContext
from search_spaces import Values, sample

REPORTED = (25, 50, 100, 200, 400)
_PROBES = 300
_MOST_PROPOSALS = 50
"""An evaluation, after which a sampler that repeats itself is given up."""


def objectives_of(task: TabularTask) -> tuple[Objective, ...]:
    """Give the objectives as a search has them: the range of costs from random probes, of accuracy from the reference.

    The reference, the median accuracy of the table, is what the score counts from; a search is told it as a limit.
    """
    generator = np.random.default_rng(0)
    rows = [row for _ in range(_PROBES) if (row := task.row(sample(task.choices, generator))) is not None]
    accuracy = Objective(
        metric="accuracy", higher_is_better=True, worst=float(np.median(task.accuracy_R)), best=1.0, chance=task.chance
    )
    costs = {"latency_ms": task.latency_R[rows], "params": task.params_R[rows]}
    return (
        accuracy,
        *(
            Objective(metric=name, higher_is_better=False, worst=float(cost.max()), best=float(cost.min()), log=True)
            for name, cost in costs.items()
        ),
    )


def context_of(task: TabularTask, *, exact: bool) -> SearchContext:
    """Give the search as a sampler sees it."""
    known = ("latency_ms", "params") if exact else ("params",)

    def costs(values: Values) -> Mapping[str, float]:
        row = task.row(values)
        metrics = task.metrics(0 if row is None else row)
        return {name: metrics[name] for name in known}

    return SearchContext(
        choices=task.choices,
        objectives=objectives_of(task),
        costs=costs,
        features=task.features,
        identity=task.row,
    )


def run(
    task: TabularTask, *, sampler: str, evals: int, in_flight: int, exact: bool, seed: int
) -> tuple[NDArray[np.int64], float]:
    """Search once.

    Returns:
        Rows in the order in which they were evaluated, and the seconds of a proposal.
    """
    context = context_of(task, exact=exact)
    searcher = make_searcher(sampler, context, seed=seed, in_flight=in_flight)
    flights: deque[tuple[Any, int]] = deque()
    rows: list[int] = []
    seconds, proposals = 0.0, 0

    while len(rows) < evals:
        started = time.perf_counter()
        proposal = searcher.ask() if len(flights) < in_flight else None
        seconds += time.perf_counter() - started
        if proposal is None:
            handle, row = flights.popleft()
            searcher.tell(handle, task.metrics(row))
            continue
        proposals += 1
        handle, values = proposal
        found = task.row(values)
        if found is None:
            searcher.refuse(handle)
        elif found in rows:
            flying = found in [row for _, row in flights]
            searcher.repeated(handle, None if flying else task.metrics(found))
        else:
            rows.append(found)
            flights.append((handle, found))
        if proposals > _MOST_PROPOSALS * evals:
            raise SystemExit(f"{sampler} found no more than {len(rows)} architectures in {proposals} proposals")
    return np.array(rows), seconds / proposals


def make_searcher(name: str, context: SearchContext, *, seed: int, in_flight: int) -> Searcher:
    """Make the search of a name: a peer's, or that of a sampler."""
    if name in PEERS:
        return make_peer(name, context, seed=seed, in_flight=in_flight)
    return OptunaSearcher(name, context, seed=seed)


def main() -> None:
    """Measure, and print what was found."""
    arguments = _arguments()
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    task = load_task(arguments.task, arguments.data)
    counts = [count for count in REPORTED if count <= arguments.evals]
    found = [
        run(
            task,
            sampler=arguments.sampler,
            evals=arguments.evals,
            in_flight=arguments.in_flight,
            exact=arguments.cheap == "exact",
            seed=seed,
        )
        for seed in range(arguments.seeds)
    ]
    share_SC = np.array([[task.share(rows[:count]) for count in counts] for rows, _ in found])
    result = {
        "task": arguments.task,
        "sampler": arguments.sampler,
        "in_flight": arguments.in_flight,
        "cheap": arguments.cheap,
        "seeds": arguments.seeds,
        "share": dict(zip(map(str, counts), share_SC.mean(axis=0).round(4).tolist(), strict=True)),
        "share_std": dict(zip(map(str, counts), share_SC.std(axis=0).round(4).tolist(), strict=True)),
        "seconds_per_proposal": round(float(np.mean([seconds for _, seconds in found])), 4),
    }
    if arguments.json:
        print(json.dumps(result))
        return
    print(
        f"{arguments.task}, {arguments.sampler}, {arguments.in_flight} in flight, {arguments.cheap}, "
        f"{arguments.seeds} seeds"
    )
    for count, mean, deviation in zip(counts, share_SC.mean(axis=0), share_SC.std(axis=0), strict=True):
        print(f"  {count:4d} evaluations: {mean:.3f} ± {deviation:.3f} of the hypervolume of the true front")
    print(f"  {result['seconds_per_proposal']} s a proposal")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--task", default=TASKS[0], help=f"one of {', '.join(TASKS)}, or alike")
    parser.add_argument("--sampler", default="pareto", help=f"one of {', '.join(sorted([*SAMPLERS, UNIQUE, *PEERS]))}")
    parser.add_argument("--evals", type=int, default=100, help="evaluations")
    parser.add_argument("--seeds", type=int, default=10, help="from 0 on")
    parser.add_argument("--in-flight", type=int, default=8, help="trials at a time")
    parser.add_argument("--cheap", choices=("exact", "revealed"), default="exact", help="what is known of latency")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


if __name__ == "__main__":
    main()
