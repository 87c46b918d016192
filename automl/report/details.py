"""Metrics that the table of the front has no room for, folded away below it."""

import math
from collections.abc import Collection, Sequence
from html import escape

from automl.numbers import UNITS, title, written
from automl.report.markup import Cell, table, words
from automl.report.points import Point
from trials.records import METRICS_OF_COST


def folded_metrics(points: Sequence[Point], shown: Collection[str]) -> str:
    """Lay out what else was measured of the members: metrics of the task, and each metric by class.

    Args:
        points: Members of the front.
        shown: Metrics that stand in the table already.

    Returns:
        HTML; nothing where there is nothing else.
    """
    names = list(dict.fromkeys(name for point in points for name in point.metrics))
    further = [name for name in names if "." not in name and name not in shown]
    parts = []
    if further:
        heads = [Cell(html=escape(title(name))) for name in further]
        rows = [[Cell(html=aligned(name, point.metrics.get(name))) for name in further] for point in points]
        parts.append(_table(points, heads, rows))
    by_class = dict.fromkeys(name.split(".", 1)[0] for name in names if "." in name)
    for metric in by_class:
        of_text = metric.removeprefix("test_") in _OF_TEXTS
        head = f"{_sentence(title(metric))} {'by part of the texts' if of_text else 'by class, %'}"
        parts.append(f"<h4>{escape(head)}</h4>{_by_class(points, metric, names)}")
    if not parts:
        return ""
    return f"<details><summary>Everything else that was measured of them</summary>{''.join(parts)}</details>"


_OF_TEXTS = ("bits_per_byte",)
"""Metrics that have parts and are no shares."""


def aligned(metric: str, value: float | None) -> str:
    """Write a value for a column of a table: as ``written`` does, a share with four decimals in each row."""
    if metric in UNITS or metric in METRICS_OF_COST or value is None or not 0.001 <= abs(value) < 1000:
        return escape(written(metric, value))
    return f"{value:.4f}"


def _by_class(points: Sequence[Point], metric: str, names: Sequence[str]) -> str:
    classes = [name for name in names if name.split(".", 1)[0] == metric and "." in name]
    heads = [Cell(html=escape(name.split(".", 1)[1])) for name in classes]
    rows = [[_part(metric, point.metrics.get(name)) for name in classes] for point in points]
    return _table(points, heads, rows)


def _table(points: Sequence[Point], heads: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> str:
    named = (
        ("", [Cell(html=f"{point.trial}", kind="text"), words(point.precision), *row])
        for point, row in zip(points, rows, strict=True)
    )
    return table([words("trial"), words("precision"), *heads], named, kind="dense")


def _part(metric: str, value: float | None) -> Cell:
    """Write the value of a class in percent; of a language model, of texts of one kind or tokens of one role."""
    if metric.removeprefix("test_") in _OF_TEXTS:
        return Cell(html=aligned(metric, value))
    return Cell(html="—" if value is None or not math.isfinite(value) else f"{100 * value:.0f}")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
