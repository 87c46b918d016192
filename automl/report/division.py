"""How the teaching was divided: what each term and each teacher held of the gradient, student by student."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from automl.numbers import percent
from automl.report.markup import Cell, section, table, words
from automl.report.points import front_points
from automl.run import FinishedTrial, Run
from automl.searching.lopsided import lopsided
from trials.division import mean_shares
from trials.records import Outcome

TERM_COLOURS = ("#3f6fc9", "#c9622a", "#2c8c7c", "#9c4f8d", "#857126", "#5c6370", "#b23f53", "#3b86a3")
TEACHER_COLOURS = ("#6657b8", "#94722a", "#3f8559", "#a84a76", "#4f7d94", "#80614b", "#73742f", "#8f5aa8")
"""In the order of terms and of teachers; white is read on each."""
_NAMED_FROM, _NUMBERED_FROM = 0.3, 0.09
"""Shares of a bar from which on there is room for a name, and for a number."""


def division_section(run: Run) -> str:
    """Show who moved the students on the front; nothing where no student had several terms or teachers."""
    students = _students(run)
    histories = {e.trial.number: [r for r in e.result.history if r.has_own_shares] for e in students}
    terms = {number: mean_shares(r.shares for r in history) for number, history in histories.items()}
    teachers = {number: mean_shares(r.teacher_shares for r in history) for number, history in histories.items()}
    if not any(len(shares) > 1 for shares in [*terms.values(), *teachers.values()]):
        return ""
    of_terms, of_teachers = _colours(terms.values(), TERM_COLOURS), _colours(teachers.values(), TEACHER_COLOURS)
    heads = [words("student"), words("terms of the loss")]
    has_teachers = any(teachers.values())
    rows = []
    marks = {point.trial: point.marks for point in front_points(run) if point.marks}
    for finished in students:
        number = finished.trial.number
        tags = "".join(f'<span class="tag {mark}">{mark}</span>' for mark in marks.get(number, ()))
        cells = [Cell(html=f"trial {number}{tags}", value=number, kind="text"), _bar(terms[number], of_terms)]
        rows.append(("", [*cells, *([_bar(teachers[number], of_teachers)] if has_teachers else [])]))
    note = (
        '<p class="note">Who moved the students on the front: shares of the gradient at the first step of an epoch, '
        "averaged over the epochs. A teacher's share is of what all teachers add.</p>"
    )
    keys = f"<h4>Terms</h4>{_key(of_terms)}" + (f"<h4>Teachers</h4>{_key(of_teachers)}" if has_teachers else "")
    chart = table([*heads, *([words("teachers")] if has_teachers else [])], rows, kind="bars")
    return section("division", "How the teaching was divided", _warnings(run), note, f"<div>{keys}</div>", chart)


def _students(run: Run) -> list[FinishedTrial]:
    """Give the trials of the members of the front, in its order, each once, whose shares were measured."""
    trials = {finished.trial.number: finished for finished in run.trials}
    numbers = dict.fromkeys(member.trial for member in run.front.members if member.trial in trials)
    return [trials[number] for number in numbers if any(record.shares for record in trials[number].result.history)]


def _warnings(run: Run) -> str:
    """Name the losses and teachers that were hardly heard, or that drowned the others, in any trial."""
    found = lopsided(run.trials)
    if not found:
        return ""
    num_trained = run.count(Outcome.TRAINED)
    lines = []
    for each in found:
        told = each.told(num_trained)
        where = f"Trial{'s' if len(each.trials) > 1 else ''} {_listed(each.trials)}"
        lines.append(f"<p>{escape(told[0].upper() + told[1:])}. {where}.</p>")
    return f'<div class="banner">{"".join(lines)}</div>'


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:12])) + (" …" if len(numbers) > 12 else "")


def _bar(shares: Mapping[str, float], colours: Mapping[str, str]) -> Cell:
    """Lay the shares of one student side by side."""
    parts = []
    for name, share in shares.items():
        full = escape(f"{name} {percent(share)}")
        text = full if share >= _NAMED_FROM else percent(share) if share >= _NUMBERED_FROM else ""
        parts.append(f'<i style="flex:{share:.4f};background:{colours[name]}" title="{full}">{text}</i>')
    return Cell(html=f'<div class="shares">{"".join(parts)}</div>' if parts else "—", kind="text")


def _key(colours: Mapping[str, str]) -> str:
    items = (f'<li><i style="background:{colour}"></i>{escape(name)}</li>' for name, colour in colours.items())
    return f'<ul class="key">{"".join(items)}</ul>'


def _colours(students: Iterable[Mapping[str, float]], colours: Sequence[str]) -> dict[str, str]:
    """Give each name its colour, the same for all students."""
    names = dict.fromkeys(name for shares in students for name in shares)
    return {name: colours[position % len(colours)] for position, name in enumerate(names)}
