"""What each teacher contributed to the students that were asked about."""

from collections.abc import Iterator, Sequence
from html import escape

import plotly.graph_objects as go

from automl.attribution.contributions import Attribution, Contribution, Interval
from automl.attribution.view import explanation, remarks, signed, verdict, who
from automl.numbers import counted, title
from automl.report.looks import ACCENT, BAD, FAINT, LINE, layout
from automl.report.markup import Cell, Figures, section, table, words
from automl.run import Run

MOST_COLUMNS, MOST_TEXTS = 40, 20
"""Parts that a heat map shows, and up to which it writes its numbers."""
PALE = "#eceae4"


def attribution_section(run: Run, figures: Figures) -> str:
    """Show contributions with their intervals, as a whole and by part; nothing where nobody asked."""
    if not run.attributions:
        return ""
    parts = [part for attribution in run.attributions for part in _of_trial(attribution, figures)]
    return section("attribution", "What each teacher contributed", *parts)


def _of_trial(attribution: Attribution, figures: Figures) -> Iterator[str]:
    inquiry = attribution.inquiry
    metric = title(inquiry.metric)
    yield f"<h3>Trial {inquiry.trial}</h3>"
    yield (
        f"<p>Distilled again from all its teachers, the student reaches {escape(metric)} {attribution.score:.4f} on "
        f"validation rows, the mean over {counted(attribution.num_seeds, 'seed')}.</p>"
    )
    yield figures.place(
        _whole_figure(attribution), label=f"contribution of each teacher to {metric}, trial {inquiry.trial}"
    )
    sentences = [*(_sentence(each, attribution) for each in attribution.contributions), *remarks(attribution)]
    yield f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"
    yield f'<p class="note">{escape(explanation(attribution))}</p>'
    for by, names in attribution.contributions[0].parts.items():
        yield from _by_part(attribution, by, list(names), figures)


def _by_part(attribution: Attribution, by: str, names: Sequence[str], figures: Figures) -> Iterator[str]:
    contributions, inquiry = attribution.contributions, attribution.inquiry
    head = f"Contribution to {title(inquiry.metric)} by {by or 'label'}"
    shown = _strongest(contributions, by, names)
    yield f"<h3>{escape(head)}</h3>"
    yield figures.place(_part_figure(attribution, by, shown), label=f"{head}, trial {inquiry.trial}")
    fewer = f"The {len(shown)} of {len(names)} that gain or lose most. " if len(shown) < len(names) else ""
    yield (
        f'<p class="note">{fewer}Cells that are pale and not bold cannot be told from nothing: their interval holds '
        "zero. Where a teacher does nothing, one interval in twenty misses zero all the same.</p>"
    )
    heads = [
        words(by or "label"),
        Cell(html="rows"),
        *(Cell(html=escape(who(each, inquiry))) for each in contributions),
    ]
    num_rows = inquiry.part_rows.get(by, {})
    rows = [
        ("", [words(name), _count(num_rows.get(name)), *(_cell(each.parts[by][name]) for each in contributions)])
        for name in names
    ]
    yield f"<details><summary>With intervals</summary>{table(heads, rows, sortable=True)}</details>"


def _strongest(contributions: Sequence[Contribution], by: str, names: Sequence[str]) -> list[str]:
    """Choose the parts that a heat map has room for, in their order."""
    strength = {name: max(abs(each.parts[by][name].mean) for each in contributions) for name in names}
    chosen = set(sorted(names, key=lambda name: -strength[name])[:MOST_COLUMNS])
    return [name for name in names if name in chosen]


def _sentence(contribution: Contribution, attribution: Attribution) -> str:
    """Say what an interval tells, and where the contribution is largest."""
    whole = contribution.whole
    numbers = f"{signed(whole.mean)}, {signed(whole.low)} to {signed(whole.high)}"
    places = []
    for by, parts in contribution.parts.items():
        telling = {name: interval for name, interval in parts.items() if not interval.holds_zero}
        if telling:
            name = max(telling, key=lambda each: abs(telling[each].mean))
            places.append(f"{by or 'label'} {name} ({signed(telling[name].mean)})")
    where = f"; most at {' and at '.join(places)}" if places else ""
    name = who(contribution, attribution.inquiry)
    against = ", against labels alone," if contribution.without == attribution.inquiry.heard else ""
    return f"{name}{against} {verdict(whole)} ({numbers}){where}."


def _count(num_rows: int | None) -> Cell:
    return Cell(html="—" if num_rows is None else str(num_rows), value=num_rows)


def _cell(interval: Interval) -> Cell:
    ends = f"<small>{signed(interval.low)} to {signed(interval.high)}</small>"
    mean = signed(interval.mean)
    return Cell(html=(mean if interval.holds_zero else f"<b>{mean}</b>") + ends, value=interval.mean)


def _short(interval: Interval) -> str:
    text = f"{round(interval.mean, 2) + 0.0:+.2f}"  # the sum turns -0.0 into 0.0
    return text if interval.holds_zero else f"<b>{text}</b>"


def _whole_figure(attribution: Attribution) -> go.Figure:
    """Draw a dot with its interval for each teacher."""
    contributions = attribution.contributions
    wholes = [each.whole for each in contributions]
    colours = [FAINT if each.holds_zero else ACCENT if each.mean > 0 else BAD for each in wholes]
    figure = go.Figure()
    for contribution, whole, colour in zip(contributions, wholes, colours, strict=True):
        figure.add_trace(
            go.Scatter(
                x=[whole.mean],
                y=[f"{escape(who(contribution, attribution.inquiry))}  "],
                error_x={"type": "data", "symmetric": False, "color": colour, "thickness": 2.5, "width": 0}
                | {"array": [whole.high - whole.mean], "arrayminus": [whole.mean - whole.low]},
                mode="markers",
                marker={"size": 12, "color": colour},
                hovertext=[f"{signed(whole.mean)}, {signed(whole.low)} to {signed(whole.high)}: {verdict(whole)}"],
                hoverinfo="text",
            )
        )
    low, high = min(0.0, *(each.low for each in wholes)), max(0.0, *(each.high for each in wholes))
    pad = 0.04 * (high - low) or 0.01
    figure.add_vline(x=0, line={"color": LINE, "width": 1})
    figure.update_layout(**layout(height=70 + 38 * len(contributions)), showlegend=False)
    figure.update_layout(margin={"t": 8, "b": 52})
    metric = escape(title(attribution.inquiry.metric))
    figure.update_xaxes(title_text=f"contribution to {metric}, with its 95 % interval", range=[low - pad, high + pad])
    figure.update_yaxes(showgrid=False, type="category", autorange="reversed", ticks="", automargin=True)
    return figure


def _part_figure(attribution: Attribution, by: str, names: Sequence[str]) -> go.Figure:
    """Draw a heat map, a row for each teacher; what cannot be told from nothing is pale."""
    contributions = attribution.contributions
    rows = [[each.parts[by][name] for name in names] for each in contributions]
    largest = max((abs(cell.mean) for row in rows for cell in row), default=0.0) or 1.0
    ends = [[f"{signed(cell.low)} to {signed(cell.high)}: {verdict(cell)}" for cell in row] for row in rows]
    with_texts = len(names) <= MOST_TEXTS
    figure = go.Figure(
        go.Heatmap(
            z=[[0.0 if cell.holds_zero else cell.mean for cell in row] for row in rows],
            # The spaces keep plotly from reading "0" as a number.
            x=[f" {escape(name)} " for name in names],
            y=[f"{escape(who(each, attribution.inquiry))}  " for each in contributions],
            text=[[_short(cell) for cell in row] for row in rows] if with_texts else None,
            texttemplate="%{text}" if with_texts else None,
            customdata=ends,
            zmin=-largest,
            zmax=largest,
            colorscale=[[0, "#b83246"], [0.5, PALE], [1, "#2a5db0"]],
            xgap=2,
            ygap=2,
            showscale=False,
            hovertemplate=f"%{{y}}on {escape(by or 'label')} %{{x}}: %{{customdata}}<extra></extra>",
        )
    )
    figure.update_layout(**layout(height=36 + 40 * len(contributions)), showlegend=False)
    figure.update_layout(margin={"t": 30, "b": 4})
    figure.update_xaxes(showgrid=False, type="category", side="top", ticks="")
    figure.update_yaxes(showgrid=False, autorange="reversed", ticks="", automargin=True)
    return figure
