"""What teachers contributed, in words and as the command line shows it."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from automl.contributions import LABEL, Attribution, Contribution, Inquiry, Interval
from automl.numbers import counted, title

MOST_PARTS = 20
"""Rows of a table on the screen; the report has all."""


def who(contribution: Contribution, inquiry: Inquiry) -> str:
    """Name who was left out."""
    return contribution.without[0] if len(contribution.without) == 1 else f"all {len(inquiry.heard)} together"


def signed(value: float) -> str:
    """Write a contribution: ``+0.0312``."""
    return f"{value:+.4f}"


def verdict(interval: Interval) -> str:
    """Say what an interval tells."""
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
        "(Student's t). It tells what other seeds would give on these rows. Contributions need not add up: what two "
        "teachers both know counts for neither."
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
    inquiry = attribution.inquiry
    table = _table("teacher", "contribution", "95 % interval")
    table.add_column("")
    for each in attribution.contributions:
        told = [signed(each.whole.mean), _ends(each.whole), verdict(each.whole)]
        table.add_row(Text(who(each, inquiry)), *told, style="" if each.whole.holds_zero else "bold")
    score = f"from all teachers, {title(inquiry.metric)} is {attribution.score:.4f} on validation rows"
    table.caption = Text("\n".join([f"trial {inquiry.trial}: {score}", *remarks(attribution)]), style="")
    yield table
    for by in attribution.contributions[0].parts:
        yield _part_table(attribution, by)


def _part_table(attribution: Attribution, by: str) -> Table:
    contributions = attribution.contributions
    table = _table(by or "label", *(who(each, attribution.inquiry) for each in contributions))
    names = list(contributions[0].parts[by])
    for name in names[:MOST_PARTS]:
        table.add_row(Text(name), *(_cell(each.parts[by][name]) for each in contributions))
    of = "label" if by == LABEL else by
    lines = [f"contribution by {of} ± half of its interval; * where the interval does not hold zero"]
    if len(names) > MOST_PARTS:
        lines.append(f"{len(names) - MOST_PARTS} more are in the report")
    table.caption = Text("\n".join(lines), style="")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
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
