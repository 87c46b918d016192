"""Whether a student is a part, or a point, of its search space."""

from collections.abc import Iterator

from automl.config.messages import Mistake, shown, unknown
from automl.config.places import Path as Place
from automl.config.searchable import possible_values
from automl.config.space_factory import WrongOptionsError
from automl.config.student import FixedStudent, Student
from search_spaces import Categorical, Choice, Domain, Integer, Real, SearchSpace, Value, Values, walk
from search_spaces.scales import first_value
from trials.data.settings import SettingError


def student_mistakes(student: Student | FixedStudent, place: Place) -> Iterator[Mistake]:
    """Find what does not fit between a student and its space.

    Args:
        student: The section.
        place: Where it stands.
    """
    whole = Student(space=student.space, options=student.options)
    try:
        space = whole.whole_space()
    except ValueError as error:
        of_options = isinstance(error, WrongOptionsError)
        yield Mistake(path=(*place, "options" if of_options else "space"), message=str(error))
        return
    if isinstance(student, Student):
        yield from _narrowing(student, space, place)
    if student.values is not None:
        yield from _point(student.values, space, place)


def _narrowing(student: Student, space: SearchSpace, place: Place) -> Iterator[Mistake]:
    known = {choice.name: choice.domain for choice in space.choices}
    for name in student.choices:
        path = (*place, "choices", name)
        if name not in known:
            yield Mistake(path=path, message=unknown(name, known, f"choice of {space.name!r}:"))
            continue
        if outside := [value for value in possible_values(student.choices[name]) if value not in known[name]]:
            yield from (Mistake(path=path, message=_outside(value, known[name])) for value in outside)
            continue
        try:
            student.domain(name, space)
        except ValueError as error:
            setting = error.setting if isinstance(error, SettingError) else ()
            yield Mistake(path=(*path, *setting), message=str(error))


def _point(values: Values, space: SearchSpace, place: Place) -> Iterator[Mistake]:
    missing: list[str] = []
    wrong: list[Mistake] = []

    def pick(choice: Choice) -> Value:
        if choice.name not in values:
            missing.append(f"{choice.name} ({in_words(choice.domain)})")
            return first_value(choice.domain)
        if values[choice.name] not in choice.domain:
            message = _outside(values[choice.name], choice.domain)
            wrong.append(Mistake(path=(*place, "values", choice.name), message=message))
            return first_value(choice.domain)
        return values[choice.name]

    active = walk(space.choices, pick)
    yield from wrong
    if missing:
        message = f"a fixed student needs a value for each choice; missing: {', '.join(missing)}"
        yield Mistake(path=(*place, "values"), message=message)
    for name in values:
        if name not in active:
            message = unknown(name, active, f"choice of {space.name!r} with these values:")
            yield Mistake(path=(*place, "values", name), message=message)


def _outside(value: Value, domain: Domain) -> str:
    return f"expected {in_words(domain)}, got {shown(value)}"


def in_words(domain: Domain) -> str:
    """Say what a choice can be."""
    if isinstance(domain, Categorical):
        return "one of " + ", ".join(shown(option).strip("'") for option in domain.options)
    if isinstance(domain, Integer) and domain.step > 1:
        return f"a whole number from {domain.low} to {domain.high} in steps of {domain.step}"
    kind = "a number" if isinstance(domain, Real) else "a whole number"
    return f"{kind} from {domain.low} to {domain.high}"
