"""Whether anything teaches where students see no label."""

from automl.config import Config
from automl.config.searchable import possible_values
from automl.errors import UserError
from automl.numbers import listed
from teachers import MISSING_LABEL
from trials.data import Dataset
from trials.recipe import HARD_LABEL


def check_teaching(config: Config, dataset: Dataset) -> None:
    """Refuse a recipe that teaches nothing, or may come to, where no training row has a label for students.

    Args:
        config: Its recipe and teachers are read.
        dataset: Read and split.

    Raises:
        UserError: No loss listens to a teacher, or the search may choose so.
    """
    if _sees_labels(dataset):
        return
    recipe = config.recipe
    if not config.teachers or not recipe.listening:
        lacking = "there are no teachers" if not config.teachers else "no loss listens to teachers"
        remedy = "add teachers and a loss such as `kd: {weight: 1.0}`"
        raise UserError(
            f"no training row has a label that students see, and {lacking}, so that nothing would be learnt; {remedy}, "
            "or let students see labels",
            place=config.place("data", "labelled"),
        )
    if not any(all(float(w) > 0 for w in possible_values(recipe.losses[name].weight)) for name in recipe.listening):
        raise UserError(
            f"no training row has a label that students see, and the weights of {listed(recipe.listening)} can all be "
            "0, so that nothing would be learnt; give one a weight that is never 0",
            place=config.place("recipe", "losses"),
        )
    if all(False in recipe.hears(teacher.name) for teacher in config.teachers):
        raise UserError(
            "no training row has a label that students see, and the search may listen to no teacher, by a weight of 0 "
            "or by taking_part, so that nothing would be learnt; let one teacher always be listened to",
            place=config.place("recipe", "teacher_weights" if recipe.teacher_weights else "taking_part"),
        )


def idle_hard_label(config: Config, dataset: Dataset) -> str:
    """Say that the recipe reads labels where students see none; with its place in the config, empty where all is well.

    Args:
        config: Its recipe is read.
        dataset: Read and split.
    """
    labels = config.recipe.losses.get(HARD_LABEL)
    if labels is None or not labels.may_count or _sees_labels(dataset):
        return ""
    place = config.place("recipe", "losses", HARD_LABEL)
    return f"{place}: no training row has a label that students see, so that {HARD_LABEL} teaches nothing; remove it"


def _sees_labels(dataset: Dataset) -> bool:
    return bool((dataset.student_labels[dataset.splits["train"]] != MISSING_LABEL).any())
