"""The first part of the page: headline, figures and table of the front."""

from collections.abc import Iterator
from datetime import datetime
from html import escape

from automl.front.empty_front import why_empty
from automl.numbers import counted, duration, listed, milliseconds, title, written
from automl.report.details import aligned, folded_metrics
from automl.report.figures import front_figure
from automl.report.markup import Cell, Figures, empty, section, table, words
from automl.report.points import Point, cost_metrics, front_points, quality_metric
from automl.run import Run
from trials.records import FIRST_TOKEN, LATENCY_MARGIN, Outcome


def headline(run: Run) -> str:
    """Say what was searched, when, on what, and what came of it."""
    lead = [f"<h1>{escape(run.name)}</h1>", f'<p class="lead">{_story(run)}</p>', _tiles(run)]
    if not run.finished and run.front.members:
        lead.append(
            '<div class="banner"><p><b>These latencies are provisional.</b> The search has not ended, and they were '
            "measured while other trials ran beside, which makes them too high, by up to "
            f"{100 * LATENCY_MARGIN:.0f} %. As it ends, the members of the front are measured again, alone, and judged "
            "on the test split.</p></div>"
        )
    return "".join(lead)


def front_section(run: Run, figures: Figures) -> str:
    """Show the front: against latency, against size, as a table."""
    if not run.front.members:
        return section("front", "The front", _without_members(run))
    quality = title(quality_metric(run))
    names = listed([title(objective.metric) for objective in run.front.objectives])
    way = "Up" if run.higher_is_better(quality_metric(run)) else "Down"
    parts = [
        f'<p class="note">Nothing that was tried beats these students in {escape(names)}'
        f"{' at once' if len(run.front.objectives) > 1 else ''}. {way} and to the left is better. Hover for details, "
        "drag to zoom, double-click to go back, click a student to find it in the table.</p>"
    ]
    for cost in cost_metrics(run):
        area = "latency" if cost == "size_bytes" else "size"
        head = f"{quality} against {title(cost)}"
        parts.append(f'<h3>{escape(head[0].upper() + head[1:])}</h3><p class="note">Area of a marker: {area}.</p>')
        parts.append(figures.place(front_figure(run, cost), label=head))
    parts.append(_front_table(run))
    return section("front", "The front", *parts)


def _story(run: Run) -> str:
    """Tell the search in two sentences."""
    if not run.trials:
        still = f"; <b>{counted(run.num_open, 'trial')}</b> {'is' if run.num_open == 1 else 'are'} open"
        return f"A search that has not ended a single trial yet{still if run.num_open else ''}."
    started = min(finished.started for finished in run.trials)
    ended = max(finished.ended for finished in run.trials)
    students = len({member.digest for member in run.front.members})
    versions = (
        f", in {counted(len(run.front.members), 'version')} by precision" if len(run.front.members) > students else ""
    )
    teachers = f"distilled from {counted(len(run.teachers), 'teacher')}" if run.teachers else "trained without teachers"
    trained = run.count(Outcome.TRAINED)  # Others were refused, stopped at a rung, or failed.
    which = " and" if trained == len(run.trials) else f", {trained or 'none'} of them"
    took = duration((ended - started).total_seconds()).replace(" ", "&nbsp;")
    where = run.machine.get("device", "")
    return (
        f"<b>{counted(run.num_proposed, 'student')}</b> proposed{which} {teachers}, {_day(started)}, in "
        f"{took}{f' on {escape(where)}' if where else ''}. {_not_ended(run)}"
        f"{_on_front(run.num_proposed, students)} on the Pareto front{versions}."
    )


def _not_ended(run: Run) -> str:
    """Tell of trials that are open, as where a search was stopped."""
    if not run.num_open:
        return ""
    few = run.num_open == 1
    return f"<b>{run.num_open} of them</b> {'has' if few else 'have'} not ended. "


def _on_front(trials: int, students: int) -> str:
    if trials == 1:
        return "<b>It</b> stands" if students else "It does <b>not</b> stand"
    return f"<b>{students or 'None'} of them</b> {'stands' if students < 2 else 'stand'}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".rstrip()


def _tiles(run: Run) -> str:
    """Show the few numbers that matter most."""
    points = front_points(run)
    if not points:
        return ""
    tiles = []
    for mark, head in (
        ("best", f"best {title(run.primary_metric)}"),
        ("knee", f"{title(run.primary_metric)} at the knee"),
    ):
        for point in points:
            if mark in point.marks and run.primary_metric in point.metrics:
                about = f"{written('latency_ms', point.metrics.get('latency_ms'))}, "
                about += f"{written('size_bytes', point.metrics.get('size_bytes'))}, {point.precision}"
                tiles.append((head, written(run.primary_metric, point.metrics[run.primary_metric]), about))
    for cost, head in (("latency_ms", "fastest"), ("size_bytes", "smallest")):
        point = min(points, key=lambda each: each.metrics.get(cost, float("inf")))
        about = f"with {title(run.primary_metric)} {written(run.primary_metric, point.metrics.get(run.primary_metric))}"
        tiles.append((f"{head} on the front", written(cost, point.metrics.get(cost)), about))
    if run.num_proposed > 1:  # It compares searches; of a single student it says nothing.
        tiles.append(("hypervolume", f"{run.front.hypervolume:.3f}", "share of the box that the front dominates"))
    return '<dl class="tiles">' + "".join(map(_tile, tiles)) + "</dl>"


def _tile(tile: tuple[str, str, str]) -> str:
    head, value, about = map(escape, tile)
    return f'<div class="tile"><dt>{head}</dt><dd>{value}<small>{about}</small></dd></div>'


def _front_table(run: Run) -> str:
    """List the members: what they were chosen by, what they cost; the rest is folded away."""
    points = front_points(run)
    objectives = [objective.metric for objective in run.front.objectives]
    present = list(dict.fromkeys(name for point in points for name in point.metrics if "." not in name))
    chosen_by = [name for name in present if name.removeprefix("test_") in {*objectives, run.primary_metric}]
    costs = [name for name in (FIRST_TOKEN, "params", "macs") if name in present]
    columns = list(dict.fromkeys([*objectives, *chosen_by, *costs]))
    parity = [Cell(html="largest difference from the module"), Cell(html="same answers as float32")]
    heads = [words("trial"), words("precision"), *_metric_heads(columns), *parity, words("digest")]
    rows = (
        (point.anchor, [*_name_cells(point), *_metric_cells(point, columns), *_last_cells(point)]) for point in points
    )
    whole = table(heads, rows, sortable=True, kind="members")
    return f"<h3>The students</h3>{_about_latency(points)}" + whole + folded_metrics(points, columns)


def _about_latency(points: list[Point]) -> str:
    """Say what stands below a latency."""
    rounds = sorted({point.latency.rounds for point in points})
    if rounds == [1]:  # measured before there were rounds
        return ""
    note = (
        f"Latency is the median over {' or '.join(map(str, rounds))} rounds of measuring, each of which opens the file "
        "anew; below it, its 95 % interval from the same."
    )
    if lengths := sorted({point.latency.length for point in points if point.latency.length is not None}):
        note += f" Texts had {' or '.join(map(str, lengths))} tokens: as many as a student reads at most, or as asked."
        if any(point.latency.first_token_ms is not None for point in points):
            note += (
                " Timed is the last of these tokens, those before it being kept; the first token is that after a whole "
                "prompt of so many."
            )
    if any(point.tied_with for point in points):
        note += (
            " <i>Not told from</i> names a student that is as good or better in all else and whose interval overlaps: "
            "latency is no reason to prefer this one to it."
        )
    return f'<p class="note">{note}</p>'


def _metric_heads(columns: list[str]) -> list[Cell]:
    return [Cell(html=escape(title(name))) for name in columns]


def _name_cells(point: Point) -> list[Cell]:
    tags = "".join(f'<span class="tag {mark}">{mark}</span>' for mark in point.marks)
    return [Cell(html=f"{point.trial}{tags}", value=point.trial, kind="text"), words(point.precision)]


def _metric_cells(point: Point, columns: list[str]) -> Iterator[Cell]:
    for name in columns:
        value = point.metrics.get(name)
        html = aligned(name, value)
        if name == "latency_ms":
            interval = (
                f"{milliseconds(point.latency.low_ms).removesuffix(' ms')} to {milliseconds(point.latency.high_ms)}"
            )
            html += f"<small>{interval}{', provisional' if point.latency.provisional else ''}</small>"
            if point.tied_with:
                html += f"<small>not told from {escape(point.tied_with)}</small>"
        yield Cell(html=html, value=value)


def _last_cells(point: Point) -> list[Cell]:
    parity, share = point.parity_max_abs_difference, point.agreement_share
    return [
        Cell(html="" if parity is None else f"{parity:.1e}", value=parity),
        Cell(html="" if share is None else f"{100 * share:.1f} %", value=share),
        Cell(html=f"<code>{escape(point.digest)}</code>", kind="text"),
    ]


def _without_members(run: Run) -> str:
    """Say why there is no front, and what to do."""
    why = why_empty(run)
    parts = [escape(text) for text in (*why.nearest, why.remedy) if text]
    if run.trials and run.count(Outcome.FAILED) == len(run.trials):
        parts = ['All errors stand under <a href="#search">The search</a>.']
    return empty(why.reason[0].upper() + why.reason[1:], *parts)
