"""A search that starts from the trials of an earlier one: what it takes over is settled once, as it begins."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from automl.config import Config, load_config
from automl.config.recipe import values_of
from automl.config.running import CUTS
from automl.errors import UserError
from automl.front.objectives import Objective, to_losses
from automl.front.pareto_front import Member, hypervolume, pareto_front
from automl.preparation.prepare import Prepared, at
from automl.run import FinishedTrial, Run
from automl.run_folder import CONFIG_FILE, find_run, open_run, read_run
from automl.searching.standing import members_of
from automl.searching.starting import is_begun
from automl.searching.students import Students
from automl.study import stored
from automl.study.ledger import Ledger
from automl.transfer.warm_start import TAKEN, Earlier, WarmStart
from search_spaces.carrying import Carried, carry_over
from trials.records import Limit, Outcome, TrialResult

_COMPARED = ("seed", "data", "task", "tokenizer", "teachers", "sequences", "precisions", "latency")
"""Sections that decide what becomes of one student trained by one recipe."""


def settle_warm_start(
    prepared: Prepared,
    ledger: Ledger,
    objectives: Sequence[Objective],
    students: Students,
    say: Callable[[str], None],
) -> WarmStart | None:
    """Give what a search takes over from the earlier run that its config names, and write it down the first time.

    Args:
        prepared: The search, its teachers as they are loaded.
        ledger: Its study; from the first time on, the earlier run is not read again and may be gone.
        objectives: With their ranges.
        students: Takes the files of those whose results are known.
        say: Is told what is taken over.

    Returns:
        What is taken over; None where the config names no run.

    Raises:
        UserError: There is no such run, nothing can be taken from it, or this search began otherwise.
    """
    section = prepared.config.search.warm_start
    kept = ledger.recall(TAKEN)
    if kept is not None:
        found = stored.warm_start.validate_python(kept)
        if section is None or section.run != found.asked:
            raise UserError(
                f"the search began with warm_start {found.asked!r}, and its first proposals came from there; "
                "say so again, or give the search another name",
                place=prepared.config.place("search", "warm_start"),
            )
        return found
    if section is None:
        return None
    if ledger.finished() or ledger.num_running():
        raise UserError(
            "the search has begun without it, and students of another run can only be tried first; "
            "leave it out, or give the search another name",
            place=prepared.config.place("search", "warm_start"),
        )
    with at(prepared.config, "search", "warm_start"):
        taking = _Taking(prepared, source_of(prepared.config))
        found = taking.all(ledger, students, section.students, objectives=objectives)
    ledger.remember(TAKEN, stored.warm_start.dump_python(found, mode="json"))
    say(found.sentence())
    return found


def source_of(config: Config) -> Path:
    """Find the folder of the run that a search starts from.

    Raises:
        UserError: There is no such run, or it is the search itself.
    """
    assert config.search.warm_start is not None
    asked = config.search.warm_start.run
    with at(config, "search", "warm_start"):
        within = config.runs / asked
        if config.folder.resolve() in (within.resolve(), Path(asked).resolve()):
            raise ValueError("a search cannot start from itself; name an earlier run")
        return within if (within / CONFIG_FILE).is_file() else find_run(asked)


def require_source(prepared: Prepared) -> None:
    """Refuse a search that can take nothing from the earlier run; one that has begun needs that run no more.

    Raises:
        UserError: There is no such run, nothing can be taken from it, or it is the search itself.
    """
    config = prepared.config
    if config.search.warm_start is not None and not is_begun(config):
        with at(config, "search", "warm_start"):
            _Taking(prepared, source_of(config))


class _Taking:
    """What one search takes from one run.

    Args:
        prepared: The search.
        folder: Of the run.

    Raises:
        ValueError: Nothing can be taken from it.
    """

    def __init__(self, prepared: Prepared, folder: Path) -> None:
        self._prepared = prepared
        self._folder = folder
        self._ledger, text = open_run(folder)
        self._run = read_run(folder, self._ledger, config_text=text)
        self._trained = {f.trial.number: f for f in self._run.trials if f.result.outcome is Outcome.TRAINED}
        if not self._trained:
            raise ValueError(f"the run {folder} has no trained student to start from")
        measured = set.intersection(*(set(f.result.candidates[0].metrics) for f in self._trained.values()))
        if missing := [name for name in prepared.config.objectives if name not in measured]:
            known = sorted(name for name in measured if "." not in name)
            raise ValueError(
                f"the run {folder} did not measure {', '.join(missing)}, so that the best of its students cannot be "
                f"told; it measured {', '.join(known)}"
            )
        self._carried = {number: self._carry(finished) for number, finished in self._trained.items()}
        if all(len(carried.drawn) == len(carried.values) for carried in self._carried.values()):
            raise ValueError(self._nothing_in_common())

    def all(self, ledger: Ledger, students: Students, count: int, *, objectives: Sequence[Objective]) -> WarmStart:
        """Take over what there is."""
        first = self._first(count, objectives)
        differs = list(differences(self._prepared, ledger, self._run, self._ledger))
        known: list[TrialResult] = []
        for position, number in enumerate(first):
            result, carried = self._trained[number].result, self._carried[number]
            same = self._prepared.trial(position, carried.values).digest == result.digest
            if same and not differs and students.adopt(result.digest, Students(self._folder)):
                known.append(result)
            elif not (same or carried.drawn or carried.moved) and "recipe" not in differs:
                differs.append("recipe")
        taken = [self._carried[number] for number in first]
        assert self._prepared.config.search.warm_start is not None
        return WarmStart(
            asked=self._prepared.config.search.warm_start.run,
            folder=str(self._folder),
            first=tuple(self._earlier(number) for number in first),
            known=tuple(known),
            differs=tuple(differs),
            drawn=Counter(name for carried in taken for name in carried.drawn),
            moved=Counter(name for carried in taken for name in carried.moved),
        )

    def _carry(self, finished: FinishedTrial) -> Carried:
        trial = finished.trial
        # Names of another space's choices may be the same and mean something else.
        architecture = trial.spec.values if trial.spec.space == self._prepared.space.name else {}
        rng = np.random.default_rng([self._prepared.config.seed, trial.number])
        return carry_over(self._prepared.choices, {**architecture, **values_of(trial.recipe)}, rng)

    def _first(self, count: int, objectives: Sequence[Objective]) -> list[int]:
        """Choose trials of the front, no two of which come to one point here."""
        members = [member for finished in self._trained.values() for member in members_of(finished)]
        chosen: dict[frozenset[object], int] = {}
        for member in best_spread(members, objectives, self._prepared.config.limits):
            chosen.setdefault(frozenset(self._carried[member.trial].values.items()), member.trial)
            if len(chosen) == count:
                break
        return list(chosen.values())

    def _earlier(self, number: int) -> Earlier:
        metrics = self._trained[number].result.candidates[0].metrics
        return Earlier(
            trial=number,
            values=self._carried[number].values,
            metrics={name: metrics[name] for name in self._prepared.config.objectives},
        )

    def _nothing_in_common(self) -> str:
        other = next(iter(self._trained.values())).trial.spec.space
        names = ", ".join(choice.name for choice in self._prepared.choices[:3]) or "none"
        return (
            f"nothing can be taken from the run {self._folder}: its students are of the space {other!r}, these of "
            f"{self._prepared.space.name!r}, and no choice here ({names}, ...) has a value there"
        )


def best_spread(members: Iterable[Member], objectives: Sequence[Objective], limits: Sequence[Limit]) -> list[Member]:
    """Order the front so that each next member adds the most hypervolume to those before it.

    Args:
        members: In any order.
        objectives: With their ranges.
        limits: That are to be kept; set aside where nobody keeps them.
    """
    given = list(members)
    left = list(pareto_front(given, objectives, limits).members or pareto_front(given, objectives, ()).members)
    losses_MD = to_losses([member.metrics for member in left], objectives)
    order: list[int] = []
    while len(order) < len(left):
        others = [row for row in range(len(left)) if row not in order]
        # Of equal gains the first, which is the best in the first objective.
        order.append(max(others, key=lambda row: hypervolume(losses_MD[[*order, row]])))
    return [left[row] for row in order]


def differences(prepared: Prepared, ledger: Ledger, run: Run, other: Ledger) -> Iterator[str]:
    """Name what would make one student trained by one recipe come out otherwise than in an earlier run.

    Args:
        prepared: A search.
        ledger: Its study, which knows its rows, its machine and its teachers.
        run: The earlier run.
        other: Its study.
    """
    config = prepared.config
    try:
        before = load_config(run.folder / CONFIG_FILE, files_must_exist=False)
    except UserError:  # of another version, or with code of the user's that is gone
        yield "config"
        return
    found = [section for section in _COMPARED if getattr(before, section) != getattr(config, section)]
    if ledger.recall("data") != other.recall("data") and "data" not in found:
        found.append("rows")
    if (ledger.recall("teachers") or []) != (other.recall("teachers") or []) and "teachers" not in found:
        found.append("teachers")
    if ledger.recall("machine") != other.recall("machine"):
        found.append("machine")
    if before.student.taps != config.student.taps:
        found.append("taps")
    if any(getattr(before.cache, field) != getattr(config.cache, field) for field in CUTS):
        found.append("cache")
    if (before.resources.threads, before.resources.gpus > 0) != (config.resources.threads, config.resources.gpus > 0):
        found.append("resources")
    yield from found
