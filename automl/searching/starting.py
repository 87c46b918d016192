"""A run's folder as its search begins: refused, made, or left as it was."""

from automl.config import Config, dump_config, load_config
from automl.config.running import CUTS
from automl.errors import UserError
from automl.preparation.prepare import Prepared
from automl.run_folder import CONFIG_FILE
from automl.study.ledger import JOURNAL, Ledger
from teachers.digests import rows_digest

_COMPARED = (
    "seed",
    "data",
    "task",
    "tokenizer",
    "sequences",
    "student",
    "recipe",
    "teachers",
    "objectives",
    "precisions",
    "latency",
    "storage",
)
"""Sections that decide what a trial is and where it is written; trials of one run must be comparable.

Limits are not among them: they choose among trials, and a run may go on with others."""


def is_begun(config: Config) -> bool:
    """Tell whether there is a run in the folder."""
    return (config.folder / JOURNAL).exists() or (config.folder / CONFIG_FILE).exists()


def refuse_existing(config: Config, *, resume: bool, remedy: str = "add --resume") -> None:
    """Make sure that a run in the folder is meant to go on, and can.

    Args:
        config: Of the run.
        resume: Whether it is meant to go on.
        remedy: What to do to go on with it.

    Raises:
        UserError: It is not, or the config says something else than the one that it began with.
    """
    if not is_begun(config):
        return
    if not resume:
        raise UserError(
            f"the run {config.folder} exists; {remedy} to go on with it, or give the search another name, "
            "or remove the folder to start afresh",
            place=config.place("name"),
        )
    before = load_config(config.folder / CONFIG_FILE, files_must_exist=False)
    compared: list[tuple[tuple[str, ...], object, object]] = [((section,), before, config) for section in _COMPARED]
    compared += [(("cache", field), before.cache, config.cache) for field in CUTS]
    for path, old, new in compared:
        if getattr(old, path[-1]) != getattr(new, path[-1]):
            raise UserError(
                f"it differs from what the run {config.folder} began with, and trials of both could not be "
                "compared; change it back, or give the search another name",
                place=config.place(*path),
            )


def refuse_other_data(prepared: Prepared, ledger: Ledger) -> None:
    """Make sure that the data is what the run began with, since its config may say the same of other rows.

    Args:
        prepared: Its data.
        ledger: Remembers the data from the first time on.

    Raises:
        UserError: It is other data.
    """
    dataset, reading = prepared.dataset, prepared.setting.reading
    digest = rows_digest(dataset.inputs) + rows_digest(dataset.labels)
    if reading is not None and not reading.tokenizer.can_be_narrowed:  # One that is trained follows from the texts.
        digest += rows_digest([reading.tokenizer.definition])
    kept = ledger.recall("data")
    if kept is None:
        ledger.remember("data", digest)
    elif kept != digest:
        raise UserError(
            "the rows or labels are not those that the run began with, so that its trials could not be compared; "
            "bring them back, or give the search another name",
            place=prepared.config.place("data"),
        )


def keep_config(config: Config) -> None:
    """Write the config into the folder, whole or not at all."""
    path = config.folder / CONFIG_FILE
    draft = path.with_suffix(".part")
    try:
        draft.write_text(dump_config(config), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        error.filename = str(path)
        raise


def undo(config: Config, ledger: Ledger | None) -> None:
    """Leave no trace of a run that never began, of a wrong config or without a cluster: it can be started as it is.

    Args:
        config: Of the run.
        ledger: Its study; None where it was not made yet.
    """
    if ledger is not None:
        ledger.forget()
    (config.folder / CONFIG_FILE).unlink(missing_ok=True)
    (config.folder / JOURNAL).unlink(missing_ok=True)
