"""What each teacher contributed to a student: the student distilled again without it, with several seeds."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.attribution.contributions import FEWEST_SEEDS, LABEL, Attribution, Inquiry
from automl.attribution.facts import answered, keep_answered, keep_inquiry, teachers_in, trained_for
from automl.attribution.renewing import renew_report, tracking_uri
from automl.attribution.retraining import Order, Parts, Retrainer
from automl.cluster.executor import Executor, Share
from automl.cluster.nodes import with_teachers
from automl.config import Config, load_config
from automl.errors import UserError, WorkFailed
from automl.numbers import counted
from automl.preparation.prepare import Prepared, at, prepare
from automl.run import FinishedTrial, Run
from automl.run_folder import CONFIG_FILE, REPORT_FILE, find_run, read_run
from automl.searching.progress import Progress
from automl.searching.starting import refuse_other_data
from automl.study.journal import RunLock, mend_journal
from automl.study.ledger import JOURNAL, Ledger, open_ledger
from automl.teaching.teach import teach
from teachers import MISSING_LABEL
from trials.ablation import with_equal_steps, without_teachers
from trials.recipe import Recipe
from trials.records import Outcome, Trial
from trials.run_trial import Setting

SEEDS = 5
"""Seeds unless another number is asked for."""
_OTHER = "(other)"
"""Stands for the values of a column that no teacher names."""

Recipes = Mapping[tuple[str, ...], Recipe]
"""Recipes by the teachers that are left out."""


def attribute(run: Run | str | Path, trial: int, *, seeds: int = SEEDS, address: str | None = None) -> Attribution:
    """Find out what each teacher contributed to a student.

    Its architecture is distilled again by its recipe, from all its teachers, from all but each one, and from labels
    alone, each with the same seeds: so a seed does the same to both students of a difference. The seeds are others than
    the trial's, which may have been chosen for its luck with its own. What was trained before is not trained again;
    where nothing is left to train, neither data nor teachers are read.

    Args:
        run: A run, its folder, its name below ``runs``, or the id of one of its MLflow runs.
        trial: Number of a trained trial.
        seeds: How many, at least 2.
        address: Of a Ray cluster, instead of the config's.

    Returns:
        The contributions; the run's report tells them from now on, too.

    Raises:
        UserError: There is no such run or trial, or no teacher can be left out.
        WorkFailed: Too few students could be trained, or the cluster or the storage cannot be used.
    """
    if seeds < FEWEST_SEEDS:
        raise UserError(
            f"expected at least {FEWEST_SEEDS}, since one tells nothing of chance, got {seeds}", place="--seeds"
        )
    folder = run.folder if isinstance(run, Run) else find_run(run)
    config = load_config(folder / CONFIG_FILE)
    # The cache stands beside the run, wherever the command is typed.
    config = config.model_copy(update={"runs": folder.parent, "address": address or config.address})
    with RunLock(folder), ExitStack() as stack:
        return _attribute(config, folder, trial, seeds, stack)


def _attribute(config: Config, folder: Path, number: int, seeds: int, stack: ExitStack) -> Attribution:
    text = (folder / CONFIG_FILE).read_text(encoding="utf-8")
    ledger = _open(config, folder)
    run = read_run(folder, ledger, config_text=text)
    trial = _trained(run, number).trial
    progress = stack.enter_context(Progress(trials=None, seconds=None))
    known = answered(ledger, run, number, seeds=seeds)
    if known is not None and (folder / REPORT_FILE).exists():
        progress.say(f"all students of trial {number} are trained; the report is {folder / REPORT_FILE}")
        return known
    uri = tracking_uri(config)
    prepared = prepare(config)
    heard = _heard(prepared, trial)
    refuse_other_data(prepared, ledger)
    executor = Executor(address=config.address)
    stack.callback(executor.close)
    prepared, place = teach(prepared, ledger, executor, leases=stack, say=progress.say)
    recipes, needed = _recipes(with_teachers(prepared.setting, place), trial, heard)
    inquiry = _inquiry(prepared, trial, heard, needed, teachers=teachers_in(ledger))
    keep_inquiry(ledger, inquiry)
    orders = list(_orders(trial, recipes, seeds, known=trained_for(ledger, inquiry)))
    progress.say(f"distilling trial {number} again: {counted(len(orders), 'student')} to train")
    retrainer = _retrainer(prepared, inquiry, ledger=ledger, executor=executor, progress=progress)
    whole = prepared.dataset.splits["validation"]
    shared = executor.share((prepared.setting, place))
    error = retrainer.run(orders, shared, whole=whole, parts=_parts(prepared))
    run = read_run(folder, ledger, config_text=text)
    renew_report(config, ledger, run, uri=uri, say=progress.say)
    found = [attribution for attribution in run.attributions if attribution.inquiry == inquiry]
    if not found:
        raise WorkFailed(f"too few students could be trained to compare any; the last one failed: {error}")
    if not error:
        keep_answered(ledger, inquiry, seeds=seeds)
    return found[0]


def _open(config: Config, folder: Path) -> Ledger:
    if config.storage is None:
        mend_journal(folder / JOURNAL)
    with at(config, "storage"):
        return open_ledger(folder, storage=config.expanded_storage(), name=config.name)


def _trained(run: Run, number: int) -> FinishedTrial:
    """Find a trained trial.

    Raises:
        UserError: There is none of this number.
    """
    trained = [each.trial.number for each in run.trials if each.result.outcome is Outcome.TRAINED]
    there = f"trained trials are {_listed(trained)}" if trained else "the run has no trained trial yet"
    found = next((each for each in run.trials if each.trial.number == number), None)
    if found is None:
        raise UserError(f"the run has no finished trial {number}; {there}", place=str(run.folder))
    stopped = {Outcome.INFEASIBLE: "refused before training", Outcome.PRUNED: "stopped at a rung"}
    if found.result.outcome in stopped:
        raise UserError(f"trial {number} was {stopped[found.result.outcome]}; {there}", place=str(run.folder))
    if found.result.outcome is not Outcome.TRAINED:
        last_line = found.result.error.strip().rsplit("\n", 1)[-1]
        raise UserError(
            f"trial {number} failed ({last_line}), so that there is no student; {there}", place=str(run.folder)
        )
    return found


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:20])) + (" ..." if len(numbers) > 20 else "")


def _heard(prepared: Prepared, trial: Trial) -> tuple[str, ...]:
    """Name the teachers that a trial's student listened to.

    Raises:
        UserError: There are none.
    """
    recipe, config = trial.recipe, prepared.config
    if not config.teachers:
        raise UserError("this search has no teachers, so that nobody could be left out", place=config.place("teachers"))
    names = (teacher.name for teacher in config.teachers if teacher.name not in recipe.silent)
    heard = tuple(names) if recipe.needs_teachers else ()
    if not heard:
        raise UserError(
            f"trial {trial.number} listened to no teacher: its recipe left all of them out, or gave every "
            "loss that listens to them the weight 0; take another trial",
            place=str(config.folder),
        )
    return heard


def _recipes(setting: Setting, trial: Trial, heard: tuple[str, ...]) -> tuple[Recipes, dict[str, str]]:
    """Give the recipes to compare, and say which teachers cannot be left out, and why.

    Raises:
        UserError: None can.
    """
    rows_before = len(setting.lesson(trial).rows())
    recipes: dict[tuple[str, ...], Recipe] = {(): trial.recipe}
    needed = {}
    for without in dict.fromkeys([*((name,) for name in heard), heard]):
        try:
            recipe = without_teachers(trial.recipe, without, heard=heard)
            rows = len(setting.lesson(replace(trial, recipe=recipe)).rows())
        except ValueError as error:
            needed[" and ".join(without)] = str(error)
            continue
        recipes[without] = with_equal_steps(recipe, rows=rows, rows_before=rows_before)
    if len(recipes) == 1:
        reasons = "\n  ".join(f"without {names}: {reason}" for names, reason in needed.items())
        raise UserError(f"trial {trial.number} cannot be distilled without any of its teachers\n  {reasons}")
    return recipes, {name: reason for name, reason in needed.items() if name in heard}


def _inquiry(
    prepared: Prepared, trial: Trial, heard: tuple[str, ...], needed: Mapping[str, str], *, teachers: str
) -> Inquiry:
    metric, dataset = prepared.task.metrics[0], prepared.dataset
    labels = dataset.labels[dataset.splits["validation"]]
    part_rows = {LABEL: {name: int((labels == label).sum()) for label, name in enumerate(dataset.class_names)}}
    for (column, value), rows in _parts(prepared).items():
        part_rows.setdefault(column, {})[value] = int((dataset.labels[rows] != MISSING_LABEL).sum())
    return Inquiry(
        trial=trial.number,
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        heard=heard,
        silent=tuple(teacher.name for teacher in prepared.config.teachers if teacher.name not in heard),
        needed=needed,
        teachers=teachers,
        num_rows=int((labels != MISSING_LABEL).sum()),
        part_rows=part_rows,
    )


def _orders(trial: Trial, recipes: Recipes, seeds: int, *, known: set[str]) -> Iterator[Order]:
    """Go through what is still to be trained, seed by seed, so that whoever stops it has whole comparisons."""
    for seed in range(trial.seed + 1, trial.seed + 1 + seeds):
        for without, recipe in recipes.items():
            asked = Trial(number=trial.number, spec=trial.spec, recipe=recipe, seed=seed)
            if asked.digest not in known:
                yield Order(asked, without)


def _retrainer(
    prepared: Prepared, inquiry: Inquiry, *, ledger: Ledger, executor: Executor, progress: Progress
) -> Retrainer:
    resources = prepared.config.resources
    share = Share(cpus=resources.cpus, gpus=resources.gpus)
    return Retrainer(
        inquiry,
        ledger=ledger,
        executor=executor,
        progress=progress,
        share=share,
        in_flight=executor.in_flight(prepared.config.search.in_flight, share),
        seconds=None if resources.trial_minutes is None else resources.trial_minutes * 60,
        retries=resources.retries,
    )


def _parts(prepared: Prepared) -> Parts:
    """Divide the validation rows by the columns and values by which teachers cover rows."""
    dataset = prepared.dataset
    rows = dataset.splits["validation"]
    labelled = (dataset.labels[rows] != MISSING_LABEL).reshape(len(rows), -1).any(axis=1)
    coverages = [coverage for coverage in prepared.coverages.values() if coverage.column is not None]
    parts: dict[tuple[str, str], NDArray[np.int64]] = {}
    for column in dict.fromkeys(coverage.column for coverage in coverages):
        assert column is not None
        found = dataset.columns[column][rows].astype(str)
        named = list(dict.fromkeys(str(v) for each in coverages if each.column == column for v in each.values))
        masks = {value: found == value for value in named} | {_OTHER: ~np.isin(found, named)}
        parts |= {(column, value): rows[mask] for value, mask in masks.items() if (mask & labelled).any()}
    return parts
