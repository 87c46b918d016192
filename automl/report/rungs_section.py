"""The part of the page about halving: what rungs stopped, and how well they foretold the end."""

from html import escape

import plotly.graph_objects as go

from automl.numbers import counted, percent, title, written
from automl.report.looks import ACCENT, layout
from automl.report.markup import Cell, Figures, section, table, words
from automl.report.points import quality_metric
from automl.run import Run
from automl.searching.rung_agreement import Correlation, RungAgreement, rung_agreements
from trials.records import Outcome


def rungs_section(run: Run, figures: Figures) -> str:
    """Show what came of each rung; nothing where no trial came to any."""
    metric = quality_metric(run)
    found = rung_agreements(run.trials, run.front.objectives, metric)
    if not found:
        return ""
    quality = escape(title(metric))
    heads = [Cell(html="rung at epoch"), *(Cell(html=head) for head in ("reached it", "stopped there"))]
    heads += [Cell(html="trained to the end"), Cell(html="all objectives<br>ρ"), Cell(html="τ")]
    heads += [Cell(html=f"{quality}<br>ρ"), Cell(html="τ")]
    cells = [
        f"<div><h4>rung at epoch {each.rung}</h4>"
        f"{figures.place(_figure(run, each.rung, metric), label=f'{metric} at rung {each.rung} and at the end')}</div>"
        for each in found
        if each.num_compared
    ]
    note = (
        '<p class="note">How well the order at a rung foretold the order at the end: rank correlations, Spearman\'s ρ '
        f"and Kendall's τ-b, of the places by all objectives, as halving compares, and of {quality} alone; 1 is the "
        "same order, 0 is chance. Costs are the same at both, which keeps the places by all objectives together. Only "
        "trials that were trained to the end can be compared, and the rungs chose them: nobody knows how those that "
        "were stopped would have ended, and the order of a few good ones is harder to foretell than that of all. Few "
        "trials say little.</p>"
    )
    rows = [("", _cells(each)) for each in found]
    pictures = f'<div class="grid">{"".join(cells)}</div>' if cells else ""
    return section("rungs", "Rungs", _saved(run), table(heads, rows), note, pictures)


def _saved(run: Run) -> str:
    """Say what was not trained: those that came to a rung, each once."""
    judged = [each for each in run.trials if each.rungs and each.result.outcome is not Outcome.FAILED]
    asked = sum(each.trial.recipe.epochs for each in judged)
    trained = sum(len(each.result.history) for each in judged)
    if not asked:
        return ""
    return (
        f'<p class="note">{counted(len(judged), "trial")} came to a rung. Their recipes have {asked:,} epochs, '
        f"of which {trained:,} were trained ({percent(trained / asked)}).</p>"
    )


def _cells(each: RungAgreement) -> list[Cell]:
    counts = [each.rung, each.num_reached, each.num_stopped, each.num_compared]
    return [*(Cell(html=str(count), value=count) for count in counts), *_pair(each.standing), *_pair(each.quality)]


def _pair(found: Correlation | None) -> list[Cell]:
    values = (None, None) if found is None else (found.spearman, found.kendall)
    return [words("—", kind="") if value is None else Cell(html=f"{value:.2f}", value=value) for value in values]


def _figure(run: Run, rung: int, metric: str) -> go.Figure:
    """Draw the quality at the end against that at a rung, a point for each trial that was trained to the end."""
    pairs = [
        (finished.trial.number, record.candidate.metrics.get(metric), finished.result.candidates[0].metrics.get(metric))
        for finished in run.trials
        for record in finished.rungs
        if record.rung == rung and finished.result.outcome is Outcome.TRAINED
    ]
    figure = go.Figure(
        go.Scatter(
            x=[then for _, then, _ in pairs],
            y=[last for _, _, last in pairs],
            mode="markers",
            marker={"color": ACCENT, "size": 7, "opacity": 0.85},
            hovertext=[f"trial {n}: {written(metric, then)}, then {written(metric, last)}" for n, then, last in pairs],
            hoverinfo="text",
        )
    )
    figure.update_layout(**layout(height=230), showlegend=False)
    figure.update_layout(margin={"t": 12, "l": 48, "r": 8, "b": 44})
    figure.update_xaxes(title_text=f"{title(metric)} at the rung")
    figure.update_yaxes(title_text="at the end")
    return figure
