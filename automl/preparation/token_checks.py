"""The recipe of a language model held against its losses and teachers."""

from collections.abc import Collection, Sequence

from automl.config import Config
from automl.config.searchable import possible_values
from automl.errors import UserError
from automl.numbers import listed
from automl.preparation.recipe_checks import options_of_choices, reasons_against
from trials.data import Dataset
from trials.lesson import averages, unfit_aggregation_of_tokens, unfit_loss_of_tokens
from trials.recipe import LossTerm

WRITERS = ("endpoint", "completions")
"""Kinds of teachers of which a language model hears texts alone."""

_RIGHT_ON_AVERAGE = ("forward_kl", "kd")
"""Losses whose gradient is linear in a teacher's probabilities."""


def check_tokens(config: Config, dataset: Dataset) -> None:
    """Refuse what cannot teach a language model, or not from what is kept of its teachers.

    Args:
        config: Its recipe, its teachers and its section ``cache`` are read.
        dataset: Read and split.

    Raises:
        UserError: An aggregation or a loss does not fit tokens, drawn classes, or teachers that only write.
    """
    if dataset.of_tokens:
        _check_tokens(config)
        _check_writers(config)
    _check_own_texts(config, dataset)
    if config.cache.sampled is not None:
        _check_sampled(config)


def check_strangers(config: Config, strangers: Collection[int]) -> None:
    """Refuse losses on logits where a teacher cuts texts into other tokens than the data.

    Args:
        config: Its recipe is read.
        strangers: Positions of these teachers.

    Raises:
        UserError: The recipe has such a loss, or may choose it, and listens to one of them, or may.
    """
    heard = [name for k in strangers if True in config.recipe.hears(name := config.teachers[k].name)]
    for name in config.recipe.listening if heard else ():
        if _reads_logits(config, name):
            raise UserError(
                f"{listed(heard)} cut{_s(heard)} texts into other tokens than the data, so that {name} has nothing to "
                "compare; use uld in its place, or let students learn from texts that teachers write (see sequences), "
                "or give the teacher's tokenizer as tokenizer.path",
                place=config.place("recipe", "losses", name),
            )


def _check_tokens(config: Config) -> None:
    """Refuse what cannot teach a language model."""
    for aggregation in map(str, possible_values(config.recipe.aggregation)):
        if reason := unfit_aggregation_of_tokens(aggregation):
            raise UserError(reason, place=config.place("recipe", "aggregation"))
    for name in config.recipe.listening:
        if reasons := reasons_against(config.recipe, name, unfit_loss_of_tokens):
            raise UserError("; ".join(reasons), place=config.place("recipe", "losses", name))


def _check_writers(config: Config) -> None:
    """Refuse losses that listen to teachers which only write, and such teachers where nobody asks for texts."""
    writers = [k for k, teacher in enumerate(config.teachers) if teacher.kind in WRITERS]
    if writers and config.sequences is None:
        kind = config.teachers[writers[0]].kind
        raise UserError(
            f"a language model hears nothing but texts of a teacher of kind {kind}, and nobody asks for texts; add a "
            "section sequences, such as `sequences: {prompts: 256}`",
            place=config.place("teachers", writers[0]),
        )
    heard = [name for k in writers if True in config.recipe.hears(name := config.teachers[k].name)]
    if heard and config.recipe.listening:
        (loss, *_) = config.recipe.listening
        silent = ", ".join(f"{name}: false" for name in heard)
        others = len(writers) < len(config.teachers)
        remedy = f"remove this loss, or write `taking_part: {{{silent}}}` into the recipe" if others else "remove it"
        raise UserError(
            f"{listed(heard)} write{_s(heard)} texts and tell{_s(heard)} no probabilities of all tokens, which {loss} "
            f"compares; {remedy}: students learn from the texts all the same",
            place=config.place("recipe", "losses", loss),
        )


def _check_own_texts(config: Config, dataset: Dataset) -> None:
    """Refuse steps on what a student writes, where it writes nothing or nobody tells it what to make of that."""
    if not any(float(share) > 0 for share in possible_values(config.recipe.on_policy)):
        return
    place = config.place("recipe", "on_policy")
    if not dataset.of_tokens:
        raise UserError("only language models write what they are then taught on; leave it out", place=place)
    if not config.recipe.listening:
        raise UserError(
            "what a student writes has no labels, and no loss listens to teachers; leave this out, or add teachers and "
            "a loss such as `forward_kl: {weight: 1.0}`",
            place=place,
        )


def _check_sampled(config: Config) -> None:
    """Refuse losses that are wrong for drawn classes: only the forward divergence is linear in what a teacher says."""
    for name in config.recipe.listening:
        if name not in _RIGHT_ON_AVERAGE and _reads_logits(config, name):
            raise UserError(
                f"cache.sampled draws classes from predictions, which teaches rightly by {listed(_RIGHT_ON_AVERAGE)} "
                f"alone, and the recipe has {name}; use cache.top_k",
                place=config.place("cache", "sampled"),
            )
    others = {str(value) for value in possible_values(config.recipe.aggregation)} - {"mean_of_losses"}
    if config.recipe.listening and others:
        raise UserError(
            f"cache.sampled draws classes from predictions, which cannot be averaged first as {listed(sorted(others))} "
            "does; use the aggregation mean_of_losses, or cache.top_k",
            place=config.place("cache", "sampled"),
        )


def _reads_logits(config: Config, name: str) -> bool:
    return any(
        averages(LossTerm(name=name, weight=1.0, options=options))
        for options in options_of_choices(config.recipe, name)
    )


def _s(names: Sequence[str]) -> str:
    """Give the ending of a verb of which these are the subject."""
    return "s" if len(names) == 1 else ""
