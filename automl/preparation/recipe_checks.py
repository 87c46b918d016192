"""The recipe held against its losses, the data and the teachers: whatever it may choose must work."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from automl.config import Config
from automl.config.recipe import Recipe
from automl.config.searchable import domain_of, possible_values
from automl.errors import UserError
from search_spaces import Integer, Value
from teachers import TeacherEnsemble
from trials.aggregation import misfit
from trials.data import Dataset
from trials.lesson import unfit_losses, without_facts, without_labels
from trials.losses import needs_of, temperature_of
from trials.recipe import LossTerm
from trials.recipe import Recipe as TrialRecipe

_MOST_VALUES = 64
"""Values of an option in whole numbers that are looked at; of more, the two ends."""

Options = Mapping[str, Value]


def check_recipe(config: Config, dataset: Dataset, ensemble: TeacherEnsemble | None) -> None:
    """Refuse a recipe that cannot be taught, or may choose what cannot.

    Args:
        config: Its recipe is read.
        dataset: Read and split.
        ensemble: As the config tells it; None without teachers.

    Raises:
        UserError: An option of a loss is out of range, a loss reads what is not known of tokens, or aggregation or
            weighting fit neither losses, data nor teachers.
    """
    _check_options(config)
    _check_facts(config, dataset)
    check_aggregation(config, ensemble)
    _check_losses_of_aggregation(config)
    _check_weighting(config, dataset)


def options_of_choices(recipe: Recipe, name: str) -> Iterator[dict[str, Value]]:
    """Go through all options that a recipe may choose for a loss; of real numbers, and many whole ones, the two ends.

    Args:
        recipe: Has the loss.
        name: Of the loss.
    """
    settings = recipe.losses[name].options
    for chosen in itertools.product(*map(_values, settings.values())):
        yield dict(zip(settings, chosen, strict=True))


def check_aggregation(config: Config, ensemble: TeacherEnsemble | None) -> None:
    """Refuse an aggregation that cannot take the teachers.

    Args:
        config: Its recipe is read.
        ensemble: As the config tells it, or as loaded: a student of an earlier run tells its classes only then.

    Raises:
        UserError: The recipe names such an aggregation, or may choose it; or it may leave out a teacher that the
            aggregation cannot do without.
    """
    if ensemble is None:
        return
    hears = [config.recipe.hears(name) for name in ensemble.names]
    heard = ensemble.only([k for k, possible in enumerate(hears) if True in possible])
    always_heard = ensemble.only([k for k, possible in enumerate(hears) if possible == {True}])
    reasons = []
    for name in map(str, possible_values(config.recipe.aggregation)):
        if reason := misfit(name, heard):
            reasons.append(reason)
        elif len(always_heard) < len(heard) and (reason := misfit(name, always_heard)):
            reasons.append(f"where taking_part or a weight of 0 leaves teachers out, {reason}")
    if reasons:
        raise UserError("; ".join(reasons), place=config.place("recipe", "aggregation"))


def rows_without_teacher(config: Config, dataset: Dataset, ensemble: TeacherEnsemble) -> int:
    """Count the training rows on which no teacher votes that the recipe listens to, or may.

    Args:
        config: Its recipe is read.
        dataset: Read and split.
        ensemble: Of all teachers.
    """
    train = dataset.splits["train"]
    heard = [k for k, name in enumerate(ensemble.names) if True in config.recipe.hears(name)]
    return ensemble.only(heard).num_unheard(train, dataset.student_labels[train]) if heard else len(train)


def reasons_against(recipe: Recipe, name: str, misfit_of: Callable[[LossTerm], str]) -> list[str]:
    """Say why a loss cannot be taken, and with which of its options where it can be with others.

    Args:
        recipe: Has the loss.
        name: Of the loss.
        misfit_of: Says why a term cannot be taken; nothing where it can.
    """
    choices = list(options_of_choices(recipe, name))
    unfit: dict[str, list[Options]] = {}
    for options in choices:
        if reason := misfit_of(LossTerm(name=name, weight=1.0, options=options)):
            unfit.setdefault(reason, []).append(options)
    return [_with_culprits(reason, bad, choices) for reason, bad in unfit.items()]


def place_of(config: Config, name: str, reason: str) -> str:
    """Say where a loss that cannot be taken stands: at the option that names what the reason tells of, else as a whole.

    Args:
        config: Its recipe has the loss.
        name: Of the loss.
        reason: Why it cannot be taken.
    """
    for option, setting in config.recipe.losses[name].options.items():
        if re.match(rf"(with .*, )?{re.escape(option)} of ", reason):
            return config.place("recipe", "losses", name, option)
        texts = [text for text in possible_values(setting) if isinstance(text, str)]
        layers = {layer for text in texts for layer in re.findall(r"[\w.]+", text)}
        if any(re.search(rf"(?<![\w.]){re.escape(layer)}(?!\w)", reason) for layer in layers):
            return config.place("recipe", "losses", name, option)
    return config.place("recipe", "losses", name)


def _values(setting: object) -> Sequence[Value]:
    domain = domain_of(setting)
    if isinstance(domain, Integer) and (domain.high - domain.low) // domain.step < _MOST_VALUES:
        return range(domain.low, domain.high + 1, domain.step)
    return possible_values(setting)


def _check_options(config: Config) -> None:
    for name in config.recipe.listening:
        if reasons := reasons_against(config.recipe, name, _bad_options):
            raise UserError("; ".join(reasons), place=place_of(config, name, reasons[0]))


def _check_facts(config: Config, dataset: Dataset) -> None:
    for name in config.recipe.listening:
        if reasons := reasons_against(config.recipe, name, lambda term: without_facts(term, dataset)):
            raise UserError("; ".join(reasons), place=config.place("recipe", "losses", name))


def _bad_options(term: LossTerm) -> str:
    try:
        needs_of(term)
        temperature_of(term)
    except ValueError as error:
        return str(error)
    return ""


def _check_losses_of_aggregation(config: Config) -> None:
    recipe = config.recipe
    reasons: list[str] = []
    for aggregation in map(str, possible_values(recipe.aggregation)):

        def unfit(term: LossTerm, aggregation: str = aggregation) -> str:
            # Nothing else of the recipe matters.
            alone = TrialRecipe(losses=(term,), aggregation=aggregation, epochs=1, batch_size=1, learning_rate=1.0)
            return unfit_losses(alone)

        for name in recipe.listening:
            reasons += reasons_against(recipe, name, unfit)
    if reasons:
        raise UserError("; ".join(reasons), place=config.place("recipe", "aggregation"))


def _with_culprits(reason: str, bad: Sequence[Options], choices: Sequence[Options]) -> str:
    """Put the values of options before the reason that they alone have, unless it names the option already."""
    culprits = []
    for option in choices[0]:
        values = dict.fromkeys(options[option] for options in bad)
        if option not in reason and len(values) < len({options[option] for options in choices}):
            culprits.append(f"{option} {' or '.join(map(repr, values))}")
    return f"with {' and '.join(culprits)}, {reason}" if culprits else reason


def _check_weighting(config: Config, dataset: Dataset) -> None:
    for name in map(str, possible_values(config.recipe.weighting)):
        if config.recipe.listening and (reason := without_labels(name, dataset)):
            raise UserError(reason, place=config.place("recipe", "weighting"))
