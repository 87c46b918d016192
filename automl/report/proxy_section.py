"""The part of the page about proxies: how well scores of untrained students foretold what became of them."""

import math
from html import escape

import plotly.graph_objects as go

from automl.numbers import title, written
from automl.proxies.agreement import BASELINE, Agreement, Interval
from automl.proxies.judge import JUDGED_EVERY, JUDGED_FROM, ProxyJudge, Quality, proxy_agreements
from automl.report.looks import ACCENT, layout, log_axis
from automl.report.markup import Cell, Figures, section, table, words
from automl.run import Run
from trials.records import Outcome

_WIDE = 60
"""From the lowest to the highest: beyond it the small picture has room for powers of ten alone."""


def proxy_section(run: Run, figures: Figures) -> str:
    """Show how each proxy fared against the number of parameters; nothing where no trial has a score."""
    quality = Quality(metric=run.primary_metric, higher_is_better=run.primary_higher_is_better)
    found = proxy_agreements(run.trials, quality)
    if not found:
        return ""
    metric = escape(title(quality.metric))
    heads = [words("score"), *(Cell(html=head) for head in ("students", f"{metric}<br>ρ", f"more than {BASELINE}"))]
    heads += [Cell(html="at equal size<br>ρ")]
    note = (
        '<p class="note">How well scores of untrained students foretold the order of the trained ones: Spearman\'s '
        f"rank correlation ρ with {metric}; by how much it exceeds that of the number of parameters, which costs "
        "nothing; and "
        "what is left of it among students of one size (partial correlation). Intervals of 95 % are by bootstrap over "
        "the students. The sampler, and the proxy itself, chose these students, so that they are more alike than those "
        "of the whole space; recipes differ among them, too. Few students say little.</p>"
    )
    rows = [("", _cells(each)) for each in found]
    cells = [
        f"<div><h4>{escape(each.name)}</h4>"
        f"{figures.place(_figure(run, each.name, quality), label=f'{quality.metric} by {each.name}')}</div>"
        for each in found
    ]
    return section(
        "proxies", "Proxies", _told(run, quality), table(heads, rows), note, f'<div class="grid">{"".join(cells)}</div>'
    )


def _told(run: Run, quality: Quality) -> str:
    """Say whether candidates were ordered by a proxy, and what was found of it on the way."""
    use = run.proxy
    if use is None:
        return ""
    if use.candidates == 1:
        return f'<p class="note">{escape(use.name)} was followed, and ordered nothing.</p>'
    judge = ProxyJudge(use.name, quality)
    ended = sorted(run.trials, key=lambda finished: finished.ended)
    changes = [verdict for finished in ended if (verdict := judge.take(finished)) is not None]
    state = "in use" if judge.in_use else "off"
    if not judge.verdicts:
        state += f", on trust: it is judged from {JUDGED_FROM} trained students on"
    return (
        f'<p class="note">For each trial the sampler proposed {use.candidates} candidates, and the one was tried whose '
        f"{escape(use.name)} was the highest for its number of parameters. The proxy is {state}. It is judged every "
        f"{JUDGED_EVERY} students, and orders candidates while it is shown to beat the number of parameters.</p>"
        + "".join(f'<p class="note">{escape(_begun(each.sentence()))}.</p>' for each in changes)
    )


def _begun(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _cells(each: Agreement) -> list[Cell]:
    count = Cell(html=str(each.students), value=each.students)
    if each.name == BASELINE:
        return [
            words(f"{BASELINE}, to be beaten"),
            count,
            _cell(each.correlation),
            words("—", kind=""),
            words("—", kind=""),
        ]
    return [words(each.name), count, _cell(each.correlation), _cell(each.lead), _cell(each.partial)]


def _cell(interval: Interval) -> Cell:
    return Cell(html=escape(str(interval)), value=interval.value)


def _figure(run: Run, name: str, quality: Quality) -> go.Figure:
    """Draw the quality of each trained student against its score."""
    trained = [f for f in run.trials if f.result.outcome is Outcome.TRAINED and name in f.proxies]
    points = [(f.trial.number, f.proxies[name], f.result.candidates[0].metrics.get(quality.metric)) for f in trained]
    figure = go.Figure(
        go.Scatter(
            x=[score for _, score, _ in points],
            y=[value for _, _, value in points],
            mode="markers",
            marker={"color": ACCENT, "size": 7, "opacity": 0.85},
            hovertext=[f"trial {n}: {score:.4g}, {written(quality.metric, value)}" for n, score, value in points],
            hoverinfo="text",
        )
    )
    figure.update_layout(**layout(height=230), showlegend=False)
    figure.update_layout(margin={"t": 12, "l": 48, "r": 8, "b": 44})
    figure.update_xaxes(title_text=name)
    if name == BASELINE and points:
        (low, high), ticks = log_axis([score for _, score, _ in points], ())
        ticks = ticks[::3] if high > _WIDE * low else ticks
        texts = [written(name, tick) for tick in ticks]
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=texts, range=[math.log10(low), math.log10(high)])
    figure.update_yaxes(title_text=title(quality.metric))
    return figure
