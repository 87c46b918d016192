"""What no single setting can tell: whether the sections of a config fit together."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from automl.config.config import Config
from automl.config.messages import Mistake, unknown
from automl.config.places import Path as Place
from automl.config.proxy_checks import proxy_mistakes
from automl.config.recipe import Loss, Recipe
from automl.config.searchable import domain_of, possible_values
from automl.config.sequence_checks import sequence_mistakes
from automl.config.student import Student
from automl.config.student_checks import student_mistakes
from automl.config.teachers import TrainTeacher
from automl.numbers import counted
from automl.samplers import SAMPLERS
from trials.aggregation import AGGREGATIONS
from trials.annotating import ANNOTATORS
from trials.losses import LOSSES, loss_options
from trials.optimizing import OPTIMIZERS, SCHEDULES
from trials.recipe import BALANCES, FIXED, HARD_LABEL
from trials.records import METRICS_OF_COST, Limit
from trials.tasks import METRICS, TASKS
from trials.weighting import WEIGHTINGS

CATALOGS: dict[str, Collection[str]] = {
    "aggregation": AGGREGATIONS,
    "balance": BALANCES,
    "weighting": WEIGHTINGS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}
"""Names that a setting of the recipe can have, by the setting."""


def mistakes_across(config: Config, *, must_end: bool = True) -> Iterator[Mistake]:
    """Find what does not fit together.

    Code of the user's is imported for its search space and losses only; data and models are not read.

    Args:
        config: As read.
        must_end: Whether something must say when the search stops.
    """
    yield from _metrics(config)
    yield from student_mistakes(config.student, ("student",))
    yield from _recipe(config.recipe, ("recipe",))
    yield from _teachers(config)
    yield from _named_teachers(config)
    yield from _listening(config)
    yield from _silent(config)
    yield from sequence_mistakes(config)
    yield from _running(config)
    if must_end:
        yield from _endless(config)
    yield from proxy_mistakes(config)


def _twice(names: Sequence[str], place: Place) -> Iterator[Mistake]:
    for position, name in enumerate(names):
        if name in names[:position]:
            yield Mistake(path=(*place, position), message=f"{name!r} stands here twice; keep one")


def known_metrics(config: Config) -> tuple[str, ...] | None:
    """Name what can be an objective or have a limit; None where only a task of the user's knows."""
    metrics = METRICS.get(config.task.kind)
    return None if metrics is None else (*(metric.name for metric in metrics), *METRICS_OF_COST)


def _metrics(config: Config) -> Iterator[Mistake]:
    yield from _twice(config.objectives, ("objectives",))
    if ":" not in config.task.kind and config.task.kind not in TASKS:
        message = f"{unknown(config.task.kind, TASKS, 'task')}, or package.module:name"
        yield Mistake(path=("task", "kind"), message=message)
        return
    annotator = config.task.annotate
    if annotator is not None and ":" not in annotator and annotator not in ANNOTATORS:
        message = f"{unknown(annotator, ANNOTATORS, 'annotator')}, or package.module:name"
        yield Mistake(path=("task", "annotate"), message=message)
    known = known_metrics(config)
    for position, name in enumerate(config.objectives):
        if known is not None and name not in known:
            yield Mistake(path=("objectives", position), message=unknown(name, known, "metric"))
    for position, limit in enumerate(config.limits):
        if known is not None and limit.metric not in known:
            yield Mistake(path=("limits", position), message=unknown(limit.metric, known, "metric"))
    if config.task.kind == "classification" and getattr(config.data, "label", "") is None:
        yield Mistake(path=("data",), message="classification needs a label; name the column that holds it")
    yield from _limits(config.limits)
    yield from _twice(config.precisions, ("precisions",))


def _limits(limits: Sequence[Limit]) -> Iterator[Mistake]:
    for position, limit in enumerate(limits):
        others = limits[:position]
        if any((limit.metric, limit.at_most) == (other.metric, other.at_most) for other in others):
            bound = "an upper" if limit.at_most else "a lower"
            yield Mistake(path=("limits", position), message=f"{limit.metric} has {bound} bound already; keep one")
        for other in others:
            if _exclude(limit, other):
                message = f"nothing keeps both {other} and {limit}; loosen or remove one"
                yield Mistake(path=("limits", position), message=message)


def _exclude(one: Limit, other: Limit) -> bool:
    """Tell whether no value lies within both bounds."""
    if one.metric != other.metric or one.at_most == other.at_most:
        return False
    upper, lower = (one, other) if one.at_most else (other, one)
    return lower.value > upper.value


def _recipe(recipe: Recipe, place: Place) -> Iterator[Mistake]:
    for field, catalog in CATALOGS.items():
        for name in possible_values(getattr(recipe, field)):
            if str(name) not in catalog:
                yield Mistake(path=(*place, field), message=unknown(str(name), catalog, field))
    for name, loss in recipe.losses.items():
        yield from _loss(name, loss, (*place, "losses", name))
        longest = max(float(epochs) for epochs in possible_values(recipe.epochs))
        if loss.first_epoch > longest:
            bound = counted(int(longest), "epoch")
            message = f"the recipe has {bound} at most, so that this loss never comes in; write {longest:.0f} or less"
            yield Mistake(path=(*place, "losses", name, "first_epoch"), message=message)
    yield from _weights(recipe, place)
    for path, setting, _ in recipe.settings():
        try:
            domain_of(setting)
        except ValueError as error:
            yield Mistake(path=(*place, *path), message=str(error))


def _loss(name: str, loss: Loss, place: Place) -> Iterator[Mistake]:
    if name != HARD_LABEL and ":" not in name and name not in LOSSES:
        yield Mistake(path=place, message=f"{unknown(name, [HARD_LABEL, *LOSSES], 'loss')}, or package.module:name")
        return
    try:
        options = {} if name == HARD_LABEL else loss_options(name)
    except ValueError as error:
        yield Mistake(path=place, message=str(error))
        return
    for option in loss.options:
        if option not in options:
            yield Mistake(path=(*place, option), message=unknown(option, ["weight", *options], f"option of {name!r}:"))


def _weights(recipe: Recipe, place: Place) -> Iterator[Mistake]:
    if not any(all(float(weight) > 0 for weight in possible_values(loss.weight)) for loss in recipe.losses.values()):
        message = "all weights can be 0 at once, and nothing would be trained; give one loss a weight that is never 0"
        yield Mistake(path=(*place, "losses"), message=message)
    if recipe.teacher_weights and FIXED not in possible_values(recipe.weighting):
        message = f"these are for the weighting fixed, but weighting is {recipe.weighting!r}; add fixed, or remove them"
        yield Mistake(path=(*place, "teacher_weights"), message=message)


def _teachers(config: Config) -> Iterator[Mistake]:
    names = [teacher.name for teacher in config.teachers]
    for position, name in enumerate(names):
        if name in names[:position]:
            message = f"teachers[{names.index(name)}] has the name {name!r} already; rename one"
            yield Mistake(path=("teachers", position, "name"), message=message)
    for position, teacher in enumerate(config.teachers):
        if not isinstance(teacher, TrainTeacher):
            continue
        place = ("teachers", position)
        yield from student_mistakes(teacher.student, (*place, "student"))
        yield from _recipe(teacher.recipe, (*place, "recipe"))
        for path, setting, _ in teacher.recipe.settings():
            if domain_of(setting) is not None:
                message = "a teacher is trained once, so that nothing of its recipe is searched; give one value"
                yield Mistake(path=(*place, "recipe", *path), message=message)
        for name in teacher.recipe.listening:
            message = "a teacher is trained without teachers; remove this loss, and train on hard_label"
            yield Mistake(path=(*place, "recipe", "losses", name), message=message)


def _named_teachers(config: Config) -> Iterator[Mistake]:
    names = [teacher.name for teacher in config.teachers]
    for setting in ("teacher_weights", "taking_part"):
        for name in getattr(config.recipe, setting):
            if name not in names:
                yield Mistake(path=("recipe", setting, name), message=unknown(name, names, "teacher"))


def _listening(config: Config) -> Iterator[Mistake]:
    listening = [name for name in config.recipe.listening if name in LOSSES or ":" in name]
    misspelt = len(listening) < len(config.recipe.listening)  # told already, and perhaps the one that listens
    if config.teachers and not listening and not misspelt and config.sequences is None:
        known = ", ".join(sorted(LOSSES))
        message = f"no loss listens to them; add one to recipe.losses, such as `kd: {{weight: 1.0}}`; known: {known}"
        if muted := [name for name in config.recipe.losses if name != HARD_LABEL]:
            message = f"no loss listens to them, since {', '.join(muted)} can have no weight but 0; raise it"
        yield Mistake(path=("teachers",), message=message)
    if not config.teachers:
        for name in listening:
            message = (
                "this loss listens to teachers, but there are none; add teachers, or remove it and train on hard_label"
            )
            yield Mistake(path=("recipe", "losses", name), message=message)


def _silent(config: Config) -> Iterator[Mistake]:
    """Find that a recipe listens to no teacher, or may listen to none, and not to labels either."""
    recipe = config.recipe
    heard = [recipe.hears(each.name) for each in config.teachers]
    if not config.teachers or not recipe.listening or not all(False in possible for possible in heard):
        return
    setting = "teacher_weights" if recipe.teacher_weights else "taking_part"
    labels = recipe.losses.get(HARD_LABEL)
    if labels is not None and not any(True in possible for possible in heard):
        message = (
            f"no teacher is listened to, by a weight of 0 or by taking_part, so that {', '.join(recipe.listening)} "
            f"would teach nothing; listen to one, or remove the teachers and all losses but {HARD_LABEL}"
        )
        yield Mistake(path=("recipe", setting), message=message)
        return
    if labels is not None and all(float(weight) > 0 for weight in possible_values(labels.weight)):
        return
    if any(True in possible for possible in heard) or (labels is not None and labels.may_count):
        told = "the search may listen to no teacher"
        remedy = f"let one teacher always be listened to, or give {HARD_LABEL} a weight that is never 0"
    else:
        told, remedy = "no teacher is listened to", f"listen to a teacher, or add {HARD_LABEL}"
    without = f"no loss {HARD_LABEL} reads labels" if labels is None else f"{HARD_LABEL} may have the weight 0"
    message = f"{told}, by a weight of 0 or by taking_part, and {without}, so that nothing would be learnt; {remedy}"
    yield Mistake(path=("recipe", setting), message=message)


def _running(config: Config) -> Iterator[Mistake]:
    sampler = config.search.sampler.name
    if ":" not in sampler and sampler not in SAMPLERS:
        message = unknown(sampler, SAMPLERS, "sampler") + ", or package.module:name"
        yield Mistake(path=("search", "sampler"), message=message)
    try:
        config.rungs()
    except ValueError as error:
        yield Mistake(path=("search", "halving"), message=str(error))


def _endless(config: Config) -> Iterator[Mistake]:
    bounds = (config.search.trials, config.search.minutes, config.search.stall)
    if all(bound is None for bound in bounds) and (config.recipe.choices() or _searches_students(config.student)):
        message = "nothing says when to stop; add trials (such as 50), minutes, or stall"
        yield Mistake(path=("search",), message=message)


def missing_files(config: Config) -> list[Mistake]:
    """Find files of data, tokenizer and teachers that are not there."""
    found: list[tuple[Place, Path]] = []
    sections: list[tuple[Place, object]] = [(("data",), config.data), (("tokenizer",), config.tokenizer)]
    sections += [(("teachers", position), teacher) for position, teacher in enumerate(config.teachers)]
    for place, section in sections:
        for key in ("path", "weights"):
            value = getattr(section, key, None)
            if isinstance(value, Path):
                found.append(((*place, key), value))
            elif value is not None:
                found += [((*place, key, split), file) for split, file in value if file is not None]
    hint = "relative paths start from the folder of the config"
    return [
        Mistake(path=place, message=f"there is nothing at {path}; {hint}") for place, path in found if not path.exists()
    ]


def _searches_students(student: Student) -> bool:
    if student.values is not None:
        return False
    try:
        return student.fixed_values(student.make_space()) is None
    except ValueError:  # Told where the student is checked; nobody knows what it would leave to be searched.
        return False
