"""Teachers made ready for a search: trained where they must be, loaded, asked about every row, judged."""

import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from automl.cluster.executor import Executor, Share
from automl.cluster.nodes import CachePlace
from automl.errors import UserError, WorkFailed
from automl.preparation.prepare import Prepared
from automl.preparation.recipe_checks import check_aggregation, rows_without_teacher
from automl.run import TeacherRecord
from automl.searching.students import write_folder
from automl.study import stored
from automl.study.ledger import Ledger
from automl.teaching.answering import answer_all, probe_all, trials_at_a_time
from automl.teaching.asking import ask_endpoints
from automl.teaching.cache_view import plan_lines, removal_line
from automl.teaching.caching import entries_of, plan_answers, require_memory, wanted
from automl.teaching.fitting_heads import fit_heads
from automl.teaching.loading import load_teachers
from automl.teaching.schooling import schooling
from automl.teaching.sequencing import with_sequences
from automl.teaching.strength import judge_teacher, validation_logits
from automl.teaching.strength_words import strength_in_words
from automl.teaching.token_strength import judge_by_tokens, unjudged, validation_tallies
from teachers import OutputStore, Teacher, TeacherEnsemble, pack
from trials.records import Artefacts, Outcome
from trials.run_trial import run_trial


def teach(
    prepared: Prepared, ledger: Ledger, executor: Executor, *, leases: ExitStack, say: Callable[[str], None]
) -> tuple[Prepared, CachePlace | None]:
    """Make the teachers ready, and say how good they are.

    Args:
        prepared: The config's teachers.
        ledger: Takes what is known of each.
        executor: Where they are trained and asked.
        leases: Keeps their answers from eviction until it is closed.
        say: Is told what is done.

    Returns:
        The same with the teachers as they are loaded, and where trials hear them; None without teachers.

    Raises:
        UserError: A teacher cannot be loaded, or does not fit the data or the recipe.
        WorkFailed: Training one of them failed.
    """
    config = prepared.config
    if not config.teachers:
        return prepared, None
    cache = config.runs / ".cache"
    if any(teacher.kind == "train" for teacher in config.teachers):
        say("training teachers")
    trained = train_teachers(prepared, executor, cache / "teachers")
    trained |= fit_heads(prepared, executor, cache / "teachers", say=say)
    teachers = ask_endpoints(prepared, load_teachers(prepared, trained), say=say)
    store = OutputStore(cache / "outputs", limit_bytes=config.cache.limit_bytes)
    prepared = with_sequences(prepared, teachers, executor, store, say)
    ensemble = TeacherEnsemble(
        {teacher.name: teacher.coverage for teacher in teachers},
        num_classes=prepared.dataset.num_classes,
        num_rows=len(prepared.dataset),
        columns=prepared.dataset.columns,
    )
    check_aggregation(config, ensemble)  # Teachers that are students of earlier runs may know fewer classes.
    place, records, computed = fill_cache(prepared, teachers, executor, store, leases=leases, say=say)
    ledger.remember("teachers", stored.teachers.dump_python(tuple(records), mode="json"))
    warm = () if computed else place.packed  # Of the others nothing is kept.
    for k, record in enumerate(records):
        strength = (
            strength_in_words(record.metric, record.metrics)
            or unjudged(teachers[k])
            or "no labelled row to judge it by"
        )
        known = " (from the cache)" if k in warm else ""
        say(f"teacher {record.name}: {record.covers}; {strength}{known}")
    if unheard := rows_without_teacher(config, prepared.dataset, ensemble):
        say(f"{unheard} of {len(prepared.dataset.splits['train'])} training rows have no teacher")
    ready = replace(prepared, ensemble=ensemble, setting=replace(prepared.setting, ensemble=ensemble))
    return ready, place


def train_teachers(prepared: Prepared, executor: Executor, folder: Path) -> dict[str, Path]:
    """Train the teachers that are to be trained first, unless an earlier search did.

    Args:
        prepared: The config's teachers of kind ``train``.
        executor: Where they are trained, at the same time.
        folder: Where their files are kept, each in a folder that names all that it depends on.

    Returns:
        Folder of each, by name; each holds what an exported student holds.

    Raises:
        WorkFailed: Training one of them failed.
    """
    folders: dict[str, Path] = {}
    tasks = {}
    for position, teacher in enumerate(prepared.config.teachers):
        if teacher.kind != "train":
            continue
        schooled = schooling(prepared, position)
        folders[teacher.name] = folder / schooled.folder_name()
        if not folders[teacher.name].exists():
            setting = replace(
                prepared.setting,
                space=schooled.space,
                dataset=schooled.lessons,
                ensemble=None,
                teachers=None,
                precisions=("float32",),
                limits=(),
            )
            share = Share(cpus=prepared.config.resources.cpus, gpus=prepared.config.resources.gpus)
            tasks[teacher.name] = executor.submit(run_trial, schooled.trial, setting, share=share, name=teacher.name)
    failures = []
    for name, (result, artefacts) in zip(tasks, executor.run_all(list(tasks.values())), strict=True):
        if result.outcome is Outcome.TRAINED:
            _keep(folders[name], artefacts)  # The others need not be trained again.
        else:
            failures.append(f"training teacher {name!r} failed:\n{result.error}")
    if failures:
        raise WorkFailed("\n".join(failures))
    return folders


def _keep(folder: Path, artefacts: Artefacts) -> None:
    """Write a trained teacher, unless another search that trained the same one was faster; its files stay."""
    draft = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.new")
    write_folder(draft, artefacts)
    try:
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not folder.exists():
            raise


def fill_cache(
    prepared: Prepared,
    teachers: Sequence[Teacher],
    executor: Executor,
    store: OutputStore,
    *,
    leases: ExitStack,
    say: Callable[[str], None],
) -> tuple[CachePlace, list[TeacherRecord], int]:
    """Plan what is kept of the teachers' answers, ask for what is missing, on the whole cluster, and judge teachers.

    Args:
        prepared: Its data set and recipe.
        teachers: As loaded.
        executor: Where they answer.
        store: Where answers are kept.
        leases: Keeps them from eviction until it is closed.
        say: Is told the plan, before anything is computed.

    Returns:
        Where trials hear the teachers; what is known of each teacher; how many shards had to be computed.

    Raises:
        UserError: The answers of a teacher do not fit the data, it lacks a feature, or those that run in trials do not
            fit into memory.
    """
    needed = wanted(prepared)
    shared = [executor.share(teacher) for teacher in teachers]
    probes = probe_all(prepared, shared, needed.features, executor)
    plan = plan_answers(prepared, probes, needed, trials=trials_at_a_time(prepared, executor))
    entries = entries_of(prepared, teachers, plan)
    leases.enter_context(store.lease(entries.leased))
    missing = entries.missing(store)
    to_come = entries.bytes_to_come(store, missing)
    for line in plan_lines(prepared, entries.plan, teachers, bytes_there=entries.plan.num_bytes - to_come):
        say(line)
    require_memory(prepared, entries.plan)
    if line := removal_line(store.used_bytes(), to_come, limit_bytes=prepared.config.cache.limit_bytes):
        say(line)
    try:
        store.make_room(to_come)
    except ValueError as error:
        raise UserError(str(error), place=prepared.config.place("cache", "gb")) from error
    answer_all(prepared, shared, missing, executor, store, plan=entries.plan)
    packed = [teachers[k] for k in entries.plan.packed]
    for shards in entries.logits.values():
        pack(store, shards, packed, num_classes=prepared.dataset.num_classes)
    homes = {teacher.name: teacher.coverage for teacher in teachers}
    if prepared.dataset.of_tokens:
        tallies = validation_tallies(prepared, shared, teachers, executor, store)
        records = [judge_by_tokens(prepared, k, teacher, tallies[k], homes) for k, teacher in enumerate(teachers)]
    else:
        judged = validation_logits(prepared, shared, entries, executor, store)
        records = [judge_teacher(prepared, k, teacher, judged[k], homes) for k, teacher in enumerate(teachers)]
    place = CachePlace.of(store, entries, teachers, executor=executor, num_classes=prepared.dataset.num_classes)
    return place, records, len(missing)
