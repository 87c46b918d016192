"""The further parts of the page: teachers, choices, the search's course, training, machine and config."""

from collections.abc import Sequence
from html import escape

from automl.masking import mask
from automl.numbers import counted, duration, title, written
from automl.report.choices import FEWEST_TRIALS, choice_figure, choices_by_influence
from automl.report.course import hypervolume_figure, strength_figure, training_figure
from automl.report.details import aligned
from automl.report.markup import Cell, Figures, empty, section, table, words
from automl.report.points import quality_metric
from automl.report.warm_start import warm_start_part
from automl.run import FinishedTrial, Run, TeacherRecord
from automl.teaching.strength_words import METRIC_WORDS, strength_columns
from trials.records import Outcome

MOST_CHOICES, MOST_SLOW, MOST_ERRORS = 12, 5, 10
_TOLD = {"trained": "trained", "pruned": "stopped at a rung", "infeasible": "refused by the gate", "failed": "failed"}


def teachers_section(run: Run, figures: Figures) -> str:
    """Show whom the students learnt from and what each is good at."""
    if not run.teachers:
        text = (
            "The students were trained on labels alone. Teachers are listed under <code>teachers:</code> in the config."
        )
        return section("teachers", "Teachers", empty("This search has no teachers", text))
    metric = run.teachers[0].metric
    in_bits = metric == "bits_per_byte"
    columns = strength_columns(metric, [teacher.metrics for teacher in run.teachers])
    note = (
        "A teacher is at home on the validation rows that it covers, and votes there alone; abroad is the rest."
        if "abroad" in columns
        else f"Each of them covers everything; {METRIC_WORDS[metric]} is on validation rows."
    )
    heads = [words("teacher"), words("covers"), *map(words, columns.values()), words("loaded as"), words("digest")]
    rows = [("", _teacher_cells(teacher, list(columns))) for teacher in run.teachers]
    parts = [f'<p class="note">{note}</p>', table(heads, rows)]
    if (
        not in_bits
        and len(run.teachers) > 1
        and any(teacher.by_home and "abroad" in teacher.metrics for teacher in run.teachers)
    ):
        parts.append(_figure_part("home", "Accuracy of each teacher at each one's home, %", run.teachers, figures))
        note = "A row is a teacher. The frame marks its own home, the only place where students listen to it."
        parts.append(f'<p class="note">{note}</p>')
    if any(teacher.by_label for teacher in run.teachers):
        where = ", at home and abroad" if "abroad" in columns else ""
        parts.append(_figure_part("label", f"Accuracy by label{where}, %", run.teachers, figures))
    return section("teachers", "Teachers", *parts)


def _figure_part(by: str, head: str, teachers: Sequence[TeacherRecord], figures: Figures) -> str:
    return f"<h3>{head}</h3>" + figures.place(strength_figure(teachers, by), label=head)


def _teacher_cells(teacher: TeacherRecord, scores: Sequence[str]) -> list[Cell]:
    numbers = [Cell(html=written(name, teacher.metrics.get(name)), value=teacher.metrics.get(name)) for name in scores]
    digest = Cell(html=f"<code>{escape(teacher.digest[:12])}</code>", kind="text")
    return [words(teacher.name), words(teacher.covers), *numbers, words(teacher.kind), digest]


def search_section(run: Run, figures: Figures) -> str:
    """Show how the front grew and how trials ended."""
    if not run.trials:
        return section(
            "search", "The search", empty("No trial has ended yet", "Its course is drawn from the first on.")
        )
    parts = [_outcomes(run)]
    if any(run.hypervolumes) and len(run.hypervolumes) > 1:
        parts.append("<h3>How the front grew</h3>")
        parts.append(figures.place(hypervolume_figure(run), label="hypervolume by ended trials"))
    parts += [warm_start_part(run), _failed(run), _slowest(run)]
    return section("search", "The search", *parts)


def _outcomes(run: Run) -> str:
    counts = run.counts()
    bars = "".join(f'<i class="{name}" style="flex:{count}"></i>' for name, count in counts.items() if count)
    keys = "".join(f'<li><i class="{name}"></i>{count} {_TOLD[name]}</li>' for name, count in counts.items())
    if run.num_open:
        bars += f'<i class="open" style="flex:{run.num_open}"></i>'
        keys += f'<li><i class="open"></i>{run.num_open} not ended</li>'
    return f'<div class="bar">{bars}</div><ul class="key">{keys}</ul>'


def _failed(run: Run) -> str:
    """List what trials failed of, the commonest first."""
    trials: dict[str, list[int]] = {}
    for finished in run.trials:
        if finished.result.outcome is Outcome.FAILED:
            trials.setdefault(_last_line(mask(finished.result.error)), []).append(finished.trial.number)
    if not trials:
        return ""
    rows = [
        ("", [Cell(html=str(len(numbers))), words(error, kind="text wrap"), words(_listed(numbers), kind="text wrap")])
        for error, numbers in sorted(trials.items(), key=lambda item: -len(item[1]))[:MOST_ERRORS]
    ]
    rest = len(trials) - MOST_ERRORS
    more = f'<p class="note">And {counted(rest, "further error")}.</p>' if rest > 0 else ""
    heads = [Cell(html="count"), words("last line of the error"), words("trials")]
    return "<h3>What failed</h3>" + table(heads, rows) + more


def _listed(numbers: Sequence[int]) -> str:
    """Write the first few numbers."""
    return ", ".join(map(str, numbers[:10])) + (" …" if len(numbers) > 10 else "")


def _slowest(run: Run) -> str:
    trained = [finished for finished in run.trials if finished.result.outcome is Outcome.TRAINED]
    slowest = sorted(trained, key=lambda finished: -finished.result.seconds)[:MOST_SLOW]
    if not slowest:
        return ""
    quality = quality_metric(run)
    rows = []
    for finished in slowest:
        metrics = finished.result.candidates[0].metrics if finished.result.candidates else {}
        cells = [_number(finished), _seconds(finished), Cell(html=str(len(finished.result.history)))]
        memory = written("size_bytes", float(finished.result.peak_memory_bytes))
        cells += [
            Cell(html=aligned(quality, metrics.get(quality))),
            Cell(html=written("params", metrics.get("params"))),
        ]
        rows.append(("", [*cells, Cell(html=memory)]))
    heads = [
        words("trial"),
        *(Cell(html=escape(head)) for head in ("took", "epochs", title(quality), "parameters", "memory")),
    ]
    return "<h3>What took longest</h3>" + table(heads, rows)


def choices_section(run: Run, figures: Figures) -> str:
    """Show what each choice did to the quality; nothing before the first trained student."""
    if not run.count(Outcome.TRAINED):
        return ""
    ranked = choices_by_influence(run)
    if not ranked:
        text = f"It takes {FEWEST_TRIALS} trained trials that differ in a choice to say anything about it."
        return section("choices", "What mattered", empty("Too few trials", text))
    quality = escape(title(quality_metric(run)))
    cells = [
        f"<div><h4>{escape(name)}<span>{100 * share:.0f} %</span></h4>"
        f"{figures.place(choice_figure(run, name), label=f'{name} against quality')}</div>"
        for name, share in ranked[:MOST_CHOICES]
    ]
    note = (
        f'<p class="note">Each trained student by one of its choices; the height is its {quality}, students on the '
        f"front are blue. The percentage is the share of the variance of {quality} that the choice explains when "
        "looked at alone, corrected for its number of values. It shows what went together in this search, not what "
        "causes what.</p>"
    )
    rest = len(ranked) - MOST_CHOICES
    more = f'<p class="note">{counted(rest, "further choice")} explained less.</p>' if rest > 0 else ""
    return section("choices", "What mattered", note, f'<div class="grid">{"".join(cells)}</div>', more)


def training_section(run: Run, figures: Figures) -> str:
    """Show the losses of the students on the front, epoch by epoch; nothing before the first trained student."""
    if not run.count(Outcome.TRAINED):
        return ""
    trials = {member.trial for member in run.front.members}
    histories = [finished.result.history for finished in run.trials if finished.trial.number in trials]
    terms = list(dict.fromkeys(term for history in histories for record in history for term in record.losses))
    if not terms:
        return section(
            "training", "Training", empty("No student on the front yet", "Losses are drawn for its members.")
        )
    cells = [
        f"<div><h4>{escape(term.replace('_', ' '))}</h4>"
        f"{figures.place(training_figure(run, term), label=f'{term} by epoch')}</div>"
        for term in terms
    ]
    note = (
        '<p class="note">Mean of each term of the loss by epoch, before its weight, for the students on the front; '
        "knee and best in blue.</p>"
    )
    return section("training", "Training", note, f'<div class="grid wide">{"".join(cells)}</div>')


def machine_section(run: Run) -> str:
    """Say what measured, and with which config."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in run.machine.items())
    limits = ", ".join(map(str, run.limits)) or "none"
    config = f"<details><summary>The config as resolved</summary><pre>{escape(run.config_text)}</pre></details>"
    return section(
        "machine",
        "Machine and config",
        f'<dl class="facts">{facts}<dt>limits</dt><dd>{escape(limits)}</dd></dl>',
        config,
    )


def _number(finished: FinishedTrial) -> Cell:
    return Cell(html=str(finished.trial.number), kind="text")


def _seconds(finished: FinishedTrial) -> Cell:
    return Cell(html=duration(finished.result.seconds), value=finished.result.seconds)


def _last_line(error: str) -> str:
    """Give the line of a traceback that says what happened."""
    lines: Sequence[str] = error.strip().splitlines()
    return lines[-1].strip() if lines else "no error was kept"
