"""What a search took over from an earlier run, and how it fared here."""

from html import escape

from automl.numbers import title
from automl.report.details import aligned
from automl.report.markup import Cell, table, words
from automl.report.points import quality_metric
from automl.run import Run


def warm_start_part(run: Run) -> str:
    """Show the students that were tried first, there and here; nothing where the search began afresh."""
    if run.warm_start is None:
        return ""
    quality = quality_metric(run)
    ended = {finished.trial.number: finished.result for finished in run.trials}
    on_front = {member.trial for member in run.front.members}
    rows = []
    for number, earlier in enumerate(run.warm_start.first):
        result = ended.get(number)
        here = result.candidates[0].metrics.get(quality) if result is not None and result.candidates else None
        there = earlier.metrics.get(quality)
        state = "not yet ended" if result is None else "on the front" if number in on_front else result.outcome.value
        cells = [words(str(number)), words(str(earlier.trial))]
        cells += [Cell(html=aligned(quality, there), value=there), Cell(html=aligned(quality, here), value=here)]
        rows.append(("", [*cells, words(state)]))
    name = escape(title(quality))
    heads = [words("trial"), words("trial there"), Cell(html=f"{name} there"), Cell(html=f"{name} here")]
    sentence = f'<p class="note">{escape(run.warm_start.sentence())}.</p>'
    return f"<h3>Taken over from an earlier run</h3>{sentence}{table([*heads, words('here')], rows)}"
