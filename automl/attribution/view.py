"""What teachers contributed, in words and as the command line shows it."""

import textwrap
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from automl.attribution.contributions import Attribution, Contribution, Inquiry, Interval
from automl.front.view import WIDTH
from automl.numbers import counted, title

MOST_PARTS = 20
"""Rows of a table on the screen; the report has all."""

_FEWEST_SEEDS = 3
"""With two, Student's t makes an interval six times as wide as the two differ."""


def who(contribution: Contribution, inquiry: Inquiry) -> str:
    """Name who was left out."""
    return contribution.without[0] if len(contribution.without) == 1 else f"all {len(inquiry.heard)} together"


def signed(value: float) -> str:
    """Write a contribution: ``+0.0312``."""
    return f"{value:+.4f}"


def verdict(interval: Interval) -> str:
    """Say what an interval tells."""
    if interval.holds_zero and interval.num_seeds < _FEWEST_SEEDS:
        return f"cannot be told with {counted(interval.num_seeds, 'seed')}; give --seeds {_FEWEST_SEEDS} or more"
    if interval.holds_zero:
        return f"cannot be told from nothing with {counted(interval.num_seeds, 'seed')}"
    return "helps" if interval.mean > 0 else "harms"


def explanation(attribution: Attribution) -> str:
    """Say what a contribution is, and what its interval is of."""
    inquiry = attribution.inquiry
    falls = "falls" if inquiry.higher_is_better else "rises"
    return (
        f"A contribution is by how much {title(inquiry.metric)} on validation rows {falls} as a teacher is left out: "
        f"the mean over {counted(attribution.num_seeds, 'seed')}, with the 95 % interval of the paired differences "
        "(Student's t). It tells what other seeds would give on these rows. Without a teacher, students train for as "
        "many steps. Contributions need not add up: what two teachers both know counts for neither."
    )


def remarks(attribution: Attribution) -> Iterator[str]:
    """Say of whom no contribution is told, and why."""
    inquiry = attribution.inquiry
    for name in inquiry.silent:
        yield f"{name} did not take part in this trial, and contributed nothing."
    for name, reason in inquiry.needed.items():
        yield f"{name} cannot be left out: {reason}."


def attribution_tables(attribution: Attribution) -> Iterator[Table]:
    """Give what teachers contributed as tables: as a whole, then by label and by each column of the data."""
    table = _table("teacher", "contribution", "95 % interval")
    table.add_column("")
    for each in attribution.contributions:
        told = [signed(each.whole.mean), _ends(each.whole), verdict(each.whole)]
        table.add_row(Text(who(each, attribution.inquiry)), *told, style="" if each.whole.holds_zero else "bold")
    yield table
    for by in attribution.contributions[0].parts:
        yield _part_table(attribution, by)


def attribution_text(attribution: Attribution) -> str:
    """Say what the tables show, in lines of 80 columns."""
    inquiry = attribution.inquiry
    paragraphs = [
        f"Trial {inquiry.trial}, distilled again from all its teachers, reaches {title(inquiry.metric)} "
        f"{attribution.score:.4f} on validation rows.",
        *remarks(attribution),
        explanation(attribution),
    ]
    if attribution.contributions[0].parts:
        paragraphs.append("Within parts: mean ± half of its interval, and * where that does not hold zero.")
    return "\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)


def _part_table(attribution: Attribution, by: str) -> Table:
    contributions = attribution.contributions
    names = list(contributions[0].parts[by])
    table = _table(by or "label", *(who(each, attribution.inquiry) for each in contributions))
    for name in names[:MOST_PARTS]:
        table.add_row(Text(name), *(_cell(each.parts[by][name]) for each in contributions))
    if len(names) > MOST_PARTS:
        table.add_row(Text(f"... and {len(names) - MOST_PARTS} in the report"))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(Text(first), no_wrap=True)
    for name in others:
        table.add_column(Text(name), no_wrap=True, justify="right")
    return table


def _ends(interval: Interval) -> str:
    return f"{signed(interval.low)} to {signed(interval.high)}"


def _cell(interval: Interval) -> Text:
    mark = " " if interval.holds_zero else "*"
    half = (interval.high - interval.low) / 2
    return Text(f"{interval.mean:+.3f} ± {half:.3f}{mark}", style="" if interval.holds_zero else "bold")
