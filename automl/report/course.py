"""Interactive pictures of how the search went: hypervolume, teachers, training."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from automl.report.looks import ACCENT, FRAME, LINE, layout
from automl.report.points import front_points
from automl.run import Run, TeacherRecord


def hypervolume_figure(run: Run) -> go.Figure:
    """Draw the hypervolume after each ended trial."""
    figure = go.Figure(
        go.Scatter(
            x=list(range(1, len(run.hypervolumes) + 1)),
            y=list(run.hypervolumes),
            mode="lines" if len(run.hypervolumes) > 1 else "markers",
            line={"shape": "hv", "color": ACCENT, "width": 2},
            fill="tozeroy" if len(run.hypervolumes) > 1 else None,
            fillcolor="rgba(76,120,217,0.10)",
            hovertemplate="after %{x} trials: %{y:.4f}<extra></extra>",
        )
    )
    top = max(run.hypervolumes, default=0.0)
    figure.update_layout(**layout(height=260), showlegend=False)
    figure.update_layout(margin={"t": 12})
    figure.update_xaxes(title_text="ended trials", rangemode="tozero")
    figure.update_yaxes(title_text="hypervolume", range=[0, top * 1.12 or 1])
    return figure


def strength_figure(teachers: Sequence[TeacherRecord], by: str) -> go.Figure:
    """Draw a heat map of each teacher's accuracy; where a teacher is at home with itself, the cell has a frame.

    Args:
        teachers: At least one with such figures.
        by: ``label`` or ``home``.
    """
    tables = {teacher.name: teacher.by_label if by == "label" else teacher.by_home for teacher in teachers}
    names = list(dict.fromkeys(name for table in tables.values() for name in table))
    values = [[table.get(name) for name in names] for table in tables.values()]
    texts = [["" if value is None else f"{100 * value:.0f}" for value in row] for row in values]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            # The spaces keep plotly from reading "0" as a number.
            x=[f" {escape(name)} " if by == "label" else f"home of {escape(name)}" for name in names],
            y=[f"{escape(name)}  " for name in tables],
            text=texts if len(names) <= 20 else None,
            texttemplate="%{text}" if len(names) <= 20 else None,
            zmin=0,
            zmax=1,
            colorscale=[[0, "#f3ead9"], [0.5, "#9cc3c4"], [0.8, "#3f7fa6"], [1, "#173f6e"]],
            xgap=2,
            ygap=2,
            showscale=False,
            hovertemplate="%{y}on %{x}: %{z:.3f}<extra></extra>",
        )
    )
    figure.update_layout(**layout(height=36 + 40 * len(tables)), showlegend=False)
    figure.update_layout(margin={"t": 30, "b": 4})
    for row, teacher in enumerate(tables):
        if by == "home" and teacher in names:
            column = names.index(teacher)  # Categories are placed at 0, 1, 2 ...
            ends = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
            figure.add_shape(type="rect", **ends, line={"color": FRAME, "width": 3})
    figure.update_xaxes(showgrid=False, type="category", side="top", ticks="")
    figure.update_yaxes(showgrid=False, autorange="reversed", ticks="", automargin=True)
    return figure


def training_figure(run: Run, term: str) -> go.Figure:
    """Draw one term of the loss by epoch, a line for each student on the front."""
    marks = {point.trial: point.marks for point in front_points(run) if point.marks}
    trials = {member.trial for member in run.front.members}
    figure = go.Figure()
    for finished in sorted(run.trials, key=lambda each: each.trial.number in marks):
        epochs = [record for record in finished.result.history if term in record.losses]
        if finished.trial.number not in trials or not epochs:
            continue
        mark = ", ".join(marks.get(finished.trial.number, ()))
        figure.add_trace(
            go.Scatter(
                x=[record.epoch for record in epochs],
                y=[record.losses[term] for record in epochs],
                mode="lines" if len(epochs) > 1 else "markers",
                line={"color": ACCENT if mark else LINE, "width": 2.5 if mark else 1},
                name=f"trial {finished.trial.number}{f' ({mark})' if mark else ''}",
                hovertemplate="%{fullData.name}, epoch %{x}: %{y:.4g}<extra></extra>",
            )
        )
    figure.update_layout(**layout(height=230), showlegend=False)
    figure.update_layout(margin={"t": 10})
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(rangemode="tozero")
    return figure
