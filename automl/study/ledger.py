"""The study as the ledger of a search: every trial is in it before it starts and after it ends."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError  # Optuna hands the errors of a database on as they come.

from automl.errors import WorkFailed, disk_is_full
from automl.front.objectives import Objective
from automl.run import FinishedTrial
from automl.samplers.distributions import suggest
from automl.samplers.limited import LimitedStudy, excesses
from automl.searching.rungs import RungRecord
from automl.study import stored
from automl.study.journal import open_storage, require_whole_journal
from automl.study.patience import Patience
from automl.study.storage_driver import require_driver
from search_spaces import Choice, Values, walk
from trials.records import Limit, Outcome, Trial, TrialResult

JOURNAL = "study.journal"
_STATES = {Outcome.FAILED: TrialState.FAIL, Outcome.PRUNED: TrialState.PRUNED}
"""All others are COMPLETE."""

_patiently = Patience("the study's storage", (SQLAlchemyError, optuna.exceptions.StorageInternalError))

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A trial that is in the study and has not ended.

    Args:
        number: Its number.
        values: Active choices, architecture and recipe together.
    """

    number: int
    values: Values


class Ledger:
    """Asks and tells; knows natural values only, signs are the samplers' and the front's business."""

    def __init__(
        self, study: optuna.Study, *, choices: tuple[Choice, ...], commit: Callable[[], None] = lambda: None
    ) -> None:
        """Wrap an open study; see ``open_ledger``.

        Args:
            study: The study.
            choices: Architecture and recipe together.
            commit: Makes all that was written last; called once a step.
        """
        self._study = study
        self._commit = commit
        self._choices = choices
        self._open: dict[int, optuna.Trial] = {}

    @property
    def name(self) -> str:
        """Name of the study."""
        return self._study.study_name

    def propose_with(self, sampler: optuna.samplers.BaseSampler) -> None:
        """Let a sampler propose from now on."""
        self._study.sampler = sampler

    def ask(self) -> Proposal:
        """Propose a student and write it down before anything else happens."""
        return self._suggest(_patiently(self._study.ask))

    def running(self) -> list[Proposal]:
        """Proposals that an earlier process wrote down and did not end; they go on under their own numbers."""
        trials = _patiently(self._study.get_trials, deepcopy=False, states=(TrialState.RUNNING,))
        left = [trial for trial in trials if trial.number not in self._open]
        return [self._suggest(_patiently(optuna.Trial, self._study, trial._trial_id)) for trial in left]

    def num_running(self) -> int:
        """Count the trials that are open: they run, or whoever ran them was stopped."""
        return len(_patiently(self._study.get_trials, deepcopy=False, states=(TrialState.RUNNING,)))

    def _suggest(self, trial: optuna.Trial) -> Proposal:
        # What is written already is given again, so that a second try, or a resume, continues half a proposal.
        values = walk(self._choices, lambda choice: _patiently(suggest, trial, choice))
        self._open[trial.number] = trial
        self._commit()
        return Proposal(number=trial.number, values=values)

    def tell(
        self,
        trial: Trial,
        result: TrialResult,
        *,
        objectives: Sequence[Objective],
        limits: Sequence[Limit],
        proxies: Mapping[str, float] | None = None,
    ) -> FinishedTrial:
        """Write down how a trial ended, and give it as the study has it.

        A failed trial is told FAIL. One that the gate refused is told COMPLETE, with the worst value of each metric
        that needs training and its true costs: samplers learn nothing from FAIL. One that was stopped at a rung is told
        PRUNED; what it showed there is in its result.
        """
        opened = self._open.pop(trial.number)
        record = {
            **stored.attributes("trial", stored.trial.dump_python(trial, mode="json")),
            **stored.attributes("result", stored.result.dump_python(result, mode="json")),
            **({"proxies": dict(proxies)} if proxies else {}),
            "outcome": result.outcome.value,
        }
        for name, value in record.items():
            _patiently(opened.set_user_attr, name, value)
        state, values = _STATES.get(result.outcome, TrialState.COMPLETE), None
        for name, excess in excesses(result, limits).items() if state is not TrialState.FAIL else ():
            _patiently(opened.set_constraint, name, excess)
        if state is TrialState.COMPLETE:
            metrics = result.candidates[0].metrics
            values = [metrics.get(objective.metric, objective.floor) for objective in objectives]
            assert all(math.isfinite(value) for value in values)
        told = _patiently(self._study.tell, opened, values, state=state, skip_if_finished=True)
        self._commit()
        return _finished(told)

    def write_rungs(self, number: int, records: Sequence[RungRecord]) -> None:
        """Write down what an open trial showed at its rungs so far, and what was decided there."""
        record = stored.rungs.dump_python(tuple(records), mode="json")
        for name, value in stored.attributes("rungs", record).items():
            _patiently(self._open[number].set_user_attr, name, value)
        self._commit()

    def rungs(self) -> Iterator[tuple[int, tuple[RungRecord, ...]]]:
        """Read the rungs of all trials that have come to one, ended or not, by number of the trial."""
        for trial in _patiently(self._study.get_trials, deepcopy=False):
            if records := _rungs(trial):
                yield trial.number, records

    def finished(self) -> tuple[FinishedTrial, ...]:
        """Trials that ended, by number."""
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        ended = _patiently(self._study.get_trials, deepcopy=False, states=states)
        return tuple(_finished(trial) for trial in ended)

    def remember(self, name: str, record: Any) -> None:
        """Write down a fact about the search as a whole."""
        for key, value in stored.attributes(name, record).items():
            _patiently(self._study.set_user_attr, key, value)
        self._commit()

    def recall(self, name: str) -> Any:
        """Read a fact back; None where it was never written."""
        return stored.record_of(self._facts(), name)

    def recall_all(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Read all facts whose names start with ``prefix``; gives the rest of each name, and the fact."""
        facts = self._facts()
        for name in facts:
            if name.startswith(prefix):
                yield name.removeprefix(prefix), stored.record_of(facts, name)

    def forget(self) -> None:
        """Remove the study, as of a search that could not begin."""
        optuna.delete_study(study_name=self.name, storage=self._study._storage)
        self._commit()

    def _facts(self) -> dict[str, Any]:
        return _patiently(lambda: self._study.user_attrs)


def open_ledger(
    folder: Path,
    *,
    storage: str | None,
    name: str,
    choices: tuple[Choice, ...] = (),
    directions: Sequence[Literal["maximize", "minimize"]] | None = None,
    sampler: optuna.samplers.BaseSampler | None = None,
    limits: Sequence[Limit] = (),
    fresh: bool = False,
    known: bool = False,
) -> Ledger:
    """Open the study of a run, or make it.

    Args:
        folder: Of the run; its ``study.journal`` is used where ``storage`` is None. Who writes holds the ``RunLock``.
        storage: URL of a database, or None.
        name: Of the study.
        choices: Architecture and recipe together; needed to ask.
        directions: ``maximize`` or ``minimize`` for each objective; None opens an existing study to read.
        sampler: Who proposes, unless it is told later by ``Ledger.propose_with``.
        limits: Those of now, by which the sampler is told what broke one; trials may have ended under others.
        fresh: The run is new, so that a study of its name, as in a database that others use too, is another run's.
        known: The run has files of students, so that its study must be there; else it is not made anew.

    Raises:
        ValueError: There is a study of this name, which is not this run's, or the driver of the storage is missing.
        WorkFailed: The storage cannot be reached, is damaged, or holds no such study.
    """
    if storage is not None:
        require_driver(storage)
    try:
        backend, commit = open_storage(folder / JOURNAL, storage, mend=directions is not None)
        if directions is None or known:
            study = optuna.load_study(study_name=name, storage=backend, sampler=sampler)
        else:
            study = optuna.create_study(
                study_name=name,
                storage=backend,
                sampler=sampler,
                directions=list(directions),
                load_if_exists=not fresh,
            )
        if directions is not None:
            study = LimitedStudy(study, limits=limits)
    except KeyError as error:
        require_whole_journal(folder / JOURNAL)
        place = "its storage" if storage is not None else folder / JOURNAL
        raise WorkFailed(f"there is no study {name!r} in {place}") from error
    except optuna.exceptions.DuplicatedStudyError as error:
        raise ValueError(f"it holds a study {name!r} of another run already; give this search another name") from error
    except Exception as error:
        require_whole_journal(folder / JOURNAL)
        # SQLAlchemy and its drivers raise errors of many kinds; their text can hold the URL with its password.
        if storage is None or disk_is_full(error):
            raise
        raise WorkFailed(
            f"the study's storage cannot be used ({type(error).__name__}): check `storage` and that the server runs"
        ) from None
    return Ledger(study, choices=choices, commit=commit)


def _finished(trial: FrozenTrial) -> FinishedTrial:
    assert trial.datetime_start is not None
    assert trial.datetime_complete is not None
    return FinishedTrial(
        trial=stored.trial.validate_python(stored.record_of(trial.user_attrs, "trial")),
        result=stored.result.validate_python(stored.record_of(trial.user_attrs, "result")),
        values=dict(trial.params),
        started=trial.datetime_start.astimezone(UTC),
        ended=trial.datetime_complete.astimezone(UTC),
        rungs=_rungs(trial),
        proxies=trial.user_attrs.get("proxies", {}),
    )


def _rungs(trial: FrozenTrial) -> tuple[RungRecord, ...]:
    return stored.rungs.validate_python(stored.record_of(trial.user_attrs, "rungs") or ())
