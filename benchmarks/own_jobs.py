"""What a sampler finds on the project's own jobs, by seconds of the processor: real students, distilled for real.

    python benchmarks/own_jobs.py examples/digits.yaml --seconds 120 --seeds 5 [--samplers pareto tpe nsga2] [--json]

One search after the other in this process, each trial with all that a search does to it: proposed, gated, distilled,
exported in every precision, measured. Its price is the time of the processor that all of this takes, so that what else
runs on the machine counts little. Teachers are trained once a seed, and all searches of a seed measure the front over
one range of objectives. A sampler's name followed by ``+halving`` stops trials at rungs. A seed decides weights and
proposals alike.

Shape letters: S = seeds, Q = quarters of the budget.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from automl.cluster.executor import Executor
from automl.cluster.nodes import with_teachers
from automl.config import Config, load_config
from automl.config.running import Halving as HalvingSection
from automl.config.running import Sampler
from automl.config.searchable import possible_values
from automl.front.objectives import Objective
from automl.preparation.prepare import Prepared, prepare
from automl.searching.halving import Halving
from automl.searching.reach import settle_objectives
from automl.searching.sampling import sampler_of
from automl.searching.standing import Standing
from automl.study.ledger import Ledger, Proposal, open_ledger
from automl.teaching.teach import teach
from trials import templates
from trials.records import Latency, Outcome, Trial, TrialResult
from trials.run_trial import Setting, run_rung, run_trial

HALVED = "+halving"
QUARTERS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A config brought to life for one seed, its teachers ready.

    Args:
        prepared: The search.
        objectives: With the ranges that all its searches share.
        setting: With the teachers' answers.
        folder: Where ledgers go.
    """

    prepared: Prepared
    objectives: tuple[Objective, ...]
    setting: Setting
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Course:
    """How a search went.

    Args:
        seconds: Of the processor, when each trial had ended.
        hypervolumes: Of the front then.
        counts: Trials by how they ended.
    """

    seconds: tuple[float, ...]
    hypervolumes: tuple[float, ...]
    counts: dict[str, int]

    def at(self, seconds: float) -> float:
        """Give the hypervolume that was reached by then."""
        ended = int(np.searchsorted(self.seconds, seconds, side="right"))
        return self.hypervolumes[ended - 1] if ended else 0.0


def make_job(config: Config, folder: Path, leases: ExitStack) -> Job:
    """Read the data, train the teachers and have them answer, and find the range of each objective."""
    prepared = prepare(config)
    ledger = _ledger(prepared, folder / "job")
    executor = Executor(cpus=1)
    try:
        objectives = settle_objectives(prepared, ledger, executor, _say)
        prepared, place = teach(prepared, ledger, executor, leases=leases, say=_say)
    finally:
        executor.close()
    return Job(prepared=prepared, objectives=objectives, setting=with_teachers(prepared.setting, place), folder=folder)


def search(job: Job, name: str, *, seconds: float) -> Course:
    """Search with one sampler until the budget is spent; the trial that overdraws it is not counted."""
    prepared = _with_sampler(job.prepared, name)
    ledger = _ledger(prepared, job.folder / name)
    ledger.propose_with(sampler_of(prepared, job.objectives))
    standing = Standing(job.objectives, prepared.config.limits)
    rungs = prepared.config.rungs()
    halving = None if rungs is None else Halving(rungs, ledger=ledger, standing=standing)
    known: dict[str, TrialResult] = {}
    latencies: dict[str, dict[str, Latency]] = {}
    ended: list[float] = []
    templates.forget()
    begun = time.process_time()
    while True:
        trial = _trial(prepared, ledger.ask(), latencies)
        result = replace(known[trial.digest], number=trial.number) if trial.digest in known else None
        result = result or _train(trial, job.setting, halving)
        known[trial.digest] = result
        for candidate in result.candidates:
            latencies.setdefault(trial.spec.architecture_digest, {})[candidate.precision] = candidate.latency
        standing.add(ledger.tell(trial, result, objectives=job.objectives, limits=prepared.config.limits))
        spent = time.process_time() - begun
        if spent > seconds:
            break
        ended.append(spent)
    results = [finished.result.outcome for finished in standing.finished[: len(ended)]]
    return Course(
        seconds=tuple(ended),
        hypervolumes=tuple(standing.hypervolumes[: len(ended)]),
        counts={outcome.value: results.count(outcome) for outcome in Outcome if outcome in results},
    )


def _trial(prepared: Prepared, proposal: Proposal, latencies: dict[str, dict[str, Latency]]) -> Trial:
    trial = prepared.trial(proposal.number, proposal.values)
    return replace(trial, known_latency=dict(latencies.get(trial.spec.architecture_digest, {})))


def _train(trial: Trial, setting: Setting, halving: Halving | None) -> TrialResult:
    """Train a student to its end, or to the rung at which it is stopped."""
    underway = None
    while halving is not None and (until := halving.until_epoch(trial)) is not None:
        result, underway = run_rung(trial, setting, underway, until_epoch=until)
        if result.outcome is not Outcome.PRUNED or not halving.goes_on(trial, result):
            return result
    return run_trial(trial, setting, underway)[0]


def _shortened(config: Config, rows: int | None) -> Config:
    """Let students and teachers learn from so many training rows at most."""
    if rows is None:
        return config
    limits = config.data.limit_rows.model_copy(update={"train": rows})
    return config.model_copy(update={"data": config.data.model_copy(update={"limit_rows": limits})})


def _with_sampler(prepared: Prepared, name: str) -> Prepared:
    config = prepared.config
    grace = max(1, max(map(int, possible_values(config.recipe.epochs))) // 5)
    changed = {
        "sampler": Sampler(name=name.removesuffix(HALVED)),
        "halving": HalvingSection(grace=grace) if name.endswith(HALVED) else None,
    }
    search_section = config.search.model_copy(update=changed)
    return replace(prepared, config=config.model_copy(update={"search": search_section}))


def _ledger(prepared: Prepared, folder: Path) -> Ledger:
    folder.mkdir(parents=True)
    higher = {metric.name for metric in prepared.task.metrics if metric.higher_is_better}
    return open_ledger(
        folder,
        storage=None,
        name=prepared.config.name,
        choices=prepared.choices,
        directions=["maximize" if name in higher else "minimize" for name in prepared.config.objectives],
        limits=prepared.config.limits,
        fresh=True,
    )


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def _mean_and_interval(values_S: NDArray[np.float64]) -> tuple[float, float]:
    """Give the mean over seeds and half of its 95 % interval by Student's t; no interval of one seed."""
    if len(values_S) < 2:
        return float(values_S.mean()), math.nan
    spread = values_S.std(ddof=1) / math.sqrt(len(values_S))
    return float(values_S.mean()), float(stats.t.ppf(0.975, len(values_S) - 1) * spread)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one sampler found, over all seeds.

    Args:
        sampler: Its name.
        hypervolume: Mean and half of its 95 % interval, after each quarter of the budget.
        ahead: The same of what it is ahead of the baseline at the end, paired by seed.
        trials: How they ended, a seed each.
    """

    sampler: str
    hypervolume: tuple[tuple[float, float], ...]
    ahead: tuple[float, float]
    trials: tuple[dict[str, int], ...]


def rows_of(courses: dict[str, list[Course]], *, seconds: float, baseline: str) -> list[Row]:
    """Sum all searches up."""
    reached = {
        name: np.array([[course.at(share * seconds) for share in QUARTERS] for course in each])
        for name, each in courses.items()
    }
    return [
        Row(
            sampler=name,
            hypervolume=tuple(_mean_and_interval(column_S) for column_S in reached_SQ.T),
            ahead=_mean_and_interval(reached_SQ[:, -1] - reached[baseline][:, -1]),
            trials=tuple(course.counts for course in courses[name]),
        )
        for name, reached_SQ in reached.items()
    ]


def main() -> None:
    """Search with each sampler and seed, and print what was found."""
    arguments = _arguments()
    courses: dict[str, list[Course]] = {name: [] for name in arguments.samplers}
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        with ExitStack() as leases:
            folder = Path(leases.enter_context(tempfile.TemporaryDirectory(prefix="own-jobs-")))
            config = _shortened(load_config(arguments.config), arguments.rows)
            runs = arguments.runs or folder / "runs"
            job = make_job(config.model_copy(update={"seed": seed, "runs": runs}), folder, leases)
            for name in arguments.samplers:
                course = search(job, name, seconds=arguments.seconds)
                courses[name].append(course)
                _say(f"seed {seed}, {name}: {course.at(arguments.seconds):.4f} after {course.counts}")
    baseline = arguments.samplers[-1]
    rows = rows_of(courses, seconds=arguments.seconds, baseline=baseline)
    if arguments.json:
        plain = {"config": arguments.config.name, "seconds": arguments.seconds, "rows": [asdict(row) for row in rows]}
        print(json.dumps(plain))
        return
    print(f"{arguments.config.name}: hypervolume by quarters of {arguments.seconds:g} s, {arguments.seeds} seeds")
    for row in rows:
        found = "  ".join(f"{mean:.3f} ± {half:.3f}" for mean, half in row.hypervolume)
        mean, half = row.ahead
        print(f"  {row.sampler:<16} {found}  ahead of {baseline}: {mean:+.3f} ± {half:.3f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="such as examples/digits.yaml")
    parser.add_argument("--seconds", type=float, default=120.0, help="of the processor, for each search")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them")
    parser.add_argument("--rows", type=int, help="training rows, instead of those of the config")
    parser.add_argument(
        "--samplers",
        nargs="+",
        default=["pareto", f"pareto{HALVED}", "nsga2", "tpe"],
        help=f"names, with {HALVED} behind for halving; the last one is what others are held against",
    )
    parser.add_argument("--runs", type=Path, help="folder whose cache of teachers is used; a fresh one otherwise")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


if __name__ == "__main__":
    main()
