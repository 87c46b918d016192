"""Pieces of HTML; whatever comes from the user is escaped here or by the caller."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go

_LONG = 40
"""Rows from which a table gets a box of its own height, so that what follows is still found."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a table.

    Args:
        html: What is seen; escaped already.
        value: What it is sorted by; None takes what is seen.
        kind: A class of the style sheet: ``text``, ``text wrap``; empty for numbers.
    """

    html: str
    value: float | None = None
    kind: str = ""


def table(
    heads: Sequence[Cell], rows: Iterable[tuple[str, Sequence[Cell]]], *, sortable: bool = False, kind: str = ""
) -> str:
    """Lay a table out.

    Args:
        heads: One a column.
        rows: The name that a link can lead to, or an empty one, and one cell a column.
        sortable: Whether a click on a head sorts.
        kind: A class of the style sheet.
    """
    head = "".join(f"<th{_class(cell.kind)}>{cell.html}</th>" for cell in heads)
    body = "".join(f"<tr{_attribute('id', anchor)}>{''.join(map(_cell, cells))}</tr>" for anchor, cells in rows)
    kinds = " ".join(name for name in (kind, "sortable" if sortable else "") if name)
    box = "scroll long" if body.count("<tr") > _LONG else "scroll"
    return f'<div class="{box}"><table{_class(kinds)}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def words(text: str, *, kind: str = "text") -> Cell:
    """Make a cell of plain text."""
    return Cell(html=escape(text), kind=kind)


def command(line: str) -> str:
    """Show a line to type, with a button that copies it."""
    return (
        f'<div class="command"><pre><code>{escape(line)}</code></pre>'
        '<button class="copy" type="button">copy</button></div>'
    )


def empty(head: str, *paragraphs: str) -> str:
    """Say that there is nothing to show, and what to do about it; paragraphs are HTML."""
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f'<div class="empty"><b>{escape(head)}</b>{body}</div>'


def section(name: str, head: str, *parts: str) -> str:
    """Make a section that a link can lead to."""
    return f'<section id="{name}"><h2>{escape(head)}</h2>{"".join(parts)}</section>'


class Figures:
    """The figures of a page, kept aside: their data stands at the end, so that the text is there first."""

    def __init__(self) -> None:
        self._figures: list[go.Figure] = []

    def place(self, figure: go.Figure, *, label: str) -> str:
        """Take a figure and give the place where it is drawn.

        Args:
            figure: Its layout has a height.
            label: What it shows, for those who cannot see it.
        """
        self._figures.append(figure)
        height = int(figure.layout.height)
        name = f"figure-{len(self._figures)}"
        return (
            f'<div class="figure" id="{name}" role="img" aria-label="{escape(label)}" style="height:{height}px"></div>'
        )

    def data(self) -> str:
        """Give the data of all figures as script elements that the page's own script reads."""
        return "\n".join(
            # In a script element only "<" is dangerous, and JSON may write it by its number.
            f'<script type="application/json" data-figure="figure-{number}">'
            f"{figure.to_json().replace('<', chr(92) + 'u003c')}</script>"
            for number, figure in enumerate(self._figures, start=1)
        )


def _cell(cell: Cell) -> str:
    value = "" if cell.value is None else repr(float(cell.value))
    return f"<td{_class(cell.kind)}{_attribute('data-value', value)}>{cell.html}</td>"


def _class(kind: str) -> str:
    return _attribute("class", kind)


def _attribute(name: str, value: str) -> str:
    return f' {name}="{escape(value)}"' if value else ""
