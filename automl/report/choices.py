"""What was chosen and what came of it, choice by choice.

Shape letters: N = trained trials.
"""

import math
from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from automl.report.looks import ACCENT, FAINT, layout
from automl.report.points import quality_metric
from automl.run import FinishedTrial, Run
from search_spaces import Value
from trials.records import Outcome

FEWEST_TRIALS = 8
"""Fewer trained trials say nothing about a choice."""


def choices_by_influence(run: Run) -> list[tuple[str, float]]:
    """Sort the choices by how much of the quality each explains when looked at alone.

    Trials are grouped by the value (by fifths of the range where there are more than six values). The share of the
    variance that lies between groups is corrected for the number of groups: epsilon squared (Kelley, 1935).
    https://doi.org/10.1073/pnas.21.9.554

    Returns:
        Name and share, 0 to 1, the greatest first; choices that never varied, or that fewer than ``FEWEST_TRIALS``
        trained trials had, are left out.
    """
    names = dict.fromkeys(name for finished in _trained(run) for name in finished.values)
    shares = []
    for name in names:
        trials = [finished for finished in _trained(run) if name in finished.values]
        if len(trials) >= FEWEST_TRIALS:
            groups = _groups([finished.values[name] for finished in trials])
            if len(set(groups)) > 1:
                shares.append((name, _explained(groups, [_quality(run, finished) for finished in trials])))
    return sorted(shares, key=lambda share: -share[1])


def choice_figure(run: Run, name: str) -> go.Figure:
    """Draw the quality of every trained trial against one choice, trials with a member on the front in colour."""
    trials = [finished for finished in _trained(run) if name in finished.values]
    on_front = {member.trial for member in run.front.members}
    values = [finished.values[name] for finished in trials]
    figure = go.Figure()
    positions, axis = _axis(values)
    for colour, size, wanted in ((FAINT, 5, False), (ACCENT, 7, True)):
        shown = [row for row, each in enumerate(trials) if (each.trial.number in on_front) is wanted]
        figure.add_trace(
            go.Scatter(
                x=[positions[row] for row in shown],
                y=[_quality(run, trials[row]) for row in shown],
                mode="markers",
                marker={"color": colour, "size": size, "opacity": 0.85},
                hovertext=[_hover(run, trials[row], values[row]) for row in shown],
                hoverinfo="text",
            )
        )
    figure.update_layout(**layout(height=190), showlegend=False)
    figure.update_layout(margin={"l": 44, "r": 8, "t": 8, "b": 30}, font_size=11)
    figure.update_xaxes(showgrid=False, **axis)
    figure.update_yaxes(nticks=4)
    return figure


def _trained(run: Run) -> list[FinishedTrial]:
    """Give the trials that trained a student whose quality is a number."""
    return [
        finished
        for finished in run.trials
        if finished.result.outcome is Outcome.TRAINED and math.isfinite(_quality(run, finished))
    ]


def _quality(run: Run, finished: FinishedTrial) -> float:
    """Give the quality of a trial in its primary precision."""
    candidates = finished.result.candidates
    return candidates[0].metrics.get(quality_metric(run), math.nan) if candidates else math.nan


def _groups(values: Sequence[Value]) -> list[str]:
    """Put equal values into one group, or near ones where there are many."""
    if len(set(values)) <= 6 or any(isinstance(value, str) for value in values):
        return [str(value) for value in values]
    numbers_N = np.array(values, dtype=np.float64)
    edges = np.quantile(numbers_N, [0.2, 0.4, 0.6, 0.8])
    return [str(group) for group in np.searchsorted(edges, numbers_N)]


def _explained(groups: Sequence[str], qualities: Sequence[float]) -> float:
    """Give epsilon squared, at least 0: 1 - (SS within / (N - k)) / (SS total / (N - 1))."""
    quality_N, group_N = np.array(qualities), np.array(groups)
    total = float(((quality_N - quality_N.mean()) ** 2).sum())
    kinds = sorted(set(groups))
    if total == 0 or len(quality_N) == len(kinds):
        return 0.0
    within = sum(float(((part - part.mean()) ** 2).sum()) for part in (quality_N[group_N == kind] for kind in kinds))
    return max(0.0, 1 - within / (len(quality_N) - len(kinds)) / (total / (len(quality_N) - 1)))


def _axis(values: Sequence[Value]) -> tuple[list[float], dict[str, object]]:
    """Place values on an axis: a few side by side, spread a little; many numbers as they are, or by logarithm."""
    few = len(set(values)) <= 6 or any(isinstance(value, str) for value in values)
    if few:
        kinds = sorted(set(values), key=lambda value: (isinstance(value, str), value))
        # Spread by the golden ratio: even, and the same every time.
        spread = [((row * 0.618034) % 1 - 0.5) * 0.42 for row in range(len(values))]
        positions = [kinds.index(value) + shift for value, shift in zip(values, spread, strict=True)]
        texts = [escape(f"{kind:.4g}" if isinstance(kind, float) else str(kind)) for kind in kinds]
        ticks = {"tickvals": list(range(len(kinds))), "ticktext": texts, "range": [-0.5, len(kinds) - 0.5]}
        return positions, ticks
    numbers = [float(value) for value in values]
    if min(numbers) <= 0 or max(numbers) / min(numbers) < 8:
        return numbers, {"nticks": 5}
    decades = range(math.floor(math.log10(min(numbers))), math.ceil(math.log10(max(numbers))) + 1)
    marks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    marks = [mark for mark in marks if min(numbers) <= mark <= max(numbers)]
    return numbers, {"type": "log", "tickvals": marks, "ticktext": [f"{mark:g}" for mark in marks]}


def _hover(run: Run, finished: FinishedTrial, value: Value) -> str:
    """Tell a trial in one line."""
    shown = f"{value:.3g}" if isinstance(value, float) else str(value)
    quality = _quality(run, finished)
    return f"trial {finished.trial.number}: {escape(shown)} → {escape(quality_metric(run))} {quality:.4f}"
