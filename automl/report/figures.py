"""The interactive picture of the front; report and tracking show the same one."""

import math
from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from automl.numbers import counted, milliseconds, title, written
from automl.report.looks import BAD, FAINT, LINE, layout, log_axis, precision_colours, quality_range
from automl.report.points import (
    OTHER_PROVISIONAL,
    Point,
    by_comparability,
    drawable,
    edge,
    front_points,
    other_points,
    quality_metric,
)
from automl.run import Run

_ROW, _TOP = 15, 40
"""Height of a line of small text, and of the margin above a picture, in pixels."""


def front_figure(run: Run, cost: str = "latency_ms") -> go.Figure:
    """Draw the quality of all candidates against one of their costs, the front in colour.

    Args:
        run: The search.
        cost: A metric that every candidate has; its axis is logarithmic.

    Returns:
        The figure; area of a marker shows the other cost: size, or latency where ``cost`` is the size.
    """
    quality = quality_metric(run)
    area = "latency_ms" if cost == "size_bytes" else "size_bytes"
    members = drawable(front_points(run), quality, cost)
    others = drawable(other_points(run), quality, cost)
    figure = go.Figure()
    for name, part in by_comparability(others, run, cost).items():
        figure.add_trace(_other_trace(part, name=name, quality=quality, cost=cost))
    figure.add_trace(_staircase(members, quality=quality, cost=cost, rising=run.higher_is_better(quality)))
    largest = max((point.metrics.get(area, 0.0) for point in members), default=0.0) or 1.0
    for precision, colour in precision_colours(members).items():
        shown = [point for point in members if point.precision == precision]
        figure.add_trace(_member_trace(shown, colour=colour, quality=quality, cost=cost, area=area, largest=largest))
    for point in members:
        if point.marks:
            _mark(figure, point, quality=quality, cost=cost)
    figure.update_layout(**layout(height=460))
    bounds = [limit.value for limit in run.limits if limit.metric == cost and limit.value > 0]
    figure.update_xaxes(type="log", title_text=_axis_title(cost), **_log_axis(cost, members + others, bounds))
    seen, hidden = quality_range(
        [point.metrics[quality] for point in members],
        [point.metrics[quality] for point in others],
        rising=run.higher_is_better(quality),
    )
    _draw_limits(figure, run, quality=quality, cost=cost)
    figure.update_yaxes(title_text=escape(title(quality)), range=seen)
    if hidden:
        text = f"{counted(hidden, 'poor candidate lies', 'poor candidates lie')} outside: double-click for all"
        place = {"x": 0.01, "xref": "paper", "y": 0, "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
        figure.add_annotation(text=text, showarrow=False, font_size=11, **place)
    return figure


def hover_text(point: Point) -> str:
    """Tell everything about a candidate, in the little HTML that plotly takes."""
    marks = f" · {' · '.join(point.marks)}" if point.marks else ""
    lines = [f"<b>trial {point.trial} · {escape(point.precision)}{marks}</b>"]
    for metric, value in point.metrics.items():
        if "." in metric:  # details of a metric, such as its value by class
            continue
        shown = written(metric, value)
        if metric == "latency_ms":
            shown += f" [{milliseconds(point.latency.low_ms)} to {milliseconds(point.latency.high_ms)}]"
            shown += ", provisional" if point.latency.provisional else ""
            shown += f", not told from {point.tied_with}" if point.tied_with else ""
        lines.append(f"{escape(title(metric))}: {shown}")
    lines += [f"<i>{escape(name)}: {escape(_short(value))}</i>" for name, value in point.values.items()]
    return "<br>".join([*lines, f"digest {escape(point.digest)}"])


def _short(value: object) -> str:
    """Write a choice's value."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _other_trace(points: Sequence[Point], *, name: str, quality: str, cost: str) -> go.Scatter:
    """Draw what is not on the front, faint; hollow where its cost does not compare."""
    return go.Scatter(
        x=[point.metrics[cost] for point in points],
        y=[point.metrics[quality] for point in points],
        mode="markers",
        name=name,
        marker={"color": FAINT, "size": 5, "symbol": "circle-open" if name == OTHER_PROVISIONAL else "circle"},
        hovertext=[hover_text(point) for point in points],
        hoverinfo="text",
    )


def _member_trace(
    points: Sequence[Point], *, colour: str, quality: str, cost: str, area: str, largest: float
) -> go.Scatter:
    """Draw the members of one precision; the largest area of all members is 34 pixels wide."""
    return go.Scatter(
        x=[point.metrics[cost] for point in points],
        y=[point.metrics[quality] for point in points],
        mode="markers",
        name=escape(points[0].precision),
        marker={
            "color": colour,
            "size": [point.metrics.get(area, 0.0) for point in points],
            "sizemode": "area",
            "sizeref": 2 * largest / 34**2,
            "sizemin": 4.5,
            "opacity": 0.86,
            "line": {"width": 1, "color": "rgba(255,255,255,0.75)"},
        },
        hovertext=[hover_text(point) for point in points],
        hoverinfo="text",
        customdata=[point.anchor for point in points],
    )


def _staircase(points: Sequence[Point], *, quality: str, cost: str, rising: bool) -> go.Scatter:
    """Draw the edge of what was reached in these two metrics alone."""
    reached = edge(points, quality, cost, rising=rising)
    return go.Scatter(
        x=[point.metrics[cost] for point in reached],
        y=[point.metrics[quality] for point in reached],
        mode="lines",
        line={"shape": "hv", "color": LINE, "width": 1.2},
        hoverinfo="skip",
        showlegend=False,
    )


def _mark(figure: go.Figure, point: Point, *, quality: str, cost: str) -> None:
    """Name a member that stands out."""
    figure.add_annotation(
        x=math.log10(point.metrics[cost]),
        y=point.metrics[quality],
        text=f"<b>{' · '.join(point.marks)}</b>",
        ax=-34,
        ay=-30,
        arrowwidth=1.2,
        arrowcolor=LINE,
        standoff=9,
    )


def _draw_limits(figure: go.Figure, run: Run, *, quality: str, cost: str) -> None:
    """Draw the limits on either axis as lines; their names stand where no others do.

    Those of a cost stand above the picture, one below the other, with the legend above them; those of the quality lie
    at the right end, on the side of their line that keeps them.
    """
    line = {"color": BAD, "width": 1, "dash": "dot"}
    text = {"showarrow": False, "font": {"color": BAD, "size": 11}}
    of_cost = [limit for limit in run.limits if limit.metric == cost and limit.value > 0]
    low, high = figure.layout.xaxis.range or (-math.inf, math.inf)
    for row, limit in enumerate(each for each in of_cost if low <= math.log10(each.value) <= high):
        figure.add_vline(x=limit.value, line=line, opacity=0.8)
        # Not the line's own annotation, which plotly places as if the axis were linear.
        at = math.log10(limit.value)
        side = "left" if at - low < 0.25 * (high - low) else "right"
        place = {"x": at, "y": 1, "yref": "paper", "xanchor": side, "yanchor": "bottom", "yshift": _ROW * row}
        figure.add_annotation(text=escape(str(limit)), **place, **text)
        _raise_legend(figure, rows=row + 1)
    for limit in (each for each in run.limits if each.metric == quality):
        figure.add_hline(y=limit.value, line=line, opacity=0.8)
        side = "top" if limit.at_most else "bottom"
        place = {"x": 1, "xref": "paper", "y": limit.value, "xanchor": "right", "yanchor": side}
        figure.add_annotation(text=escape(str(limit)), **place, **text)


def _raise_legend(figure: go.Figure, *, rows: int) -> None:
    """Make room between the picture and its legend."""
    margin = figure.layout.margin
    height = figure.layout.height - margin.b - _TOP
    figure.update_layout(margin_t=_TOP + _ROW * rows, legend_y=1.02 + _ROW * rows / height)


def _axis_title(metric: str) -> str:
    """Name a logarithmic axis."""
    unit = ", ms" if metric == "latency_ms" else ""
    return f"{title(metric)}{unit} · logarithmic"


def _log_axis(metric: str, points: Sequence[Point], bounds: Sequence[float]) -> dict[str, object]:
    """Give range and ticks as plotly takes them."""
    if not points:
        return {}
    (low, high), ticks = log_axis([point.metrics[metric] for point in points], bounds)
    texts = [f"{tick:g}" if metric == "latency_ms" else written(metric, tick) for tick in ticks]
    return {"tickvals": ticks, "ticktext": texts, "range": [math.log10(low), math.log10(high)]}
