"""A front as the command line shows it: a table for people, an object for scripts."""

import math
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl.commands_to_type import typed
from automl.front.empty_front import why_empty
from automl.front.latency_ties import latency_ties
from automl.front.pareto_front import Member, best, knee
from automl.numbers import counted
from automl.run import Run
from trials.records import METRICS_OF_COST, Outcome

WIDTH = 80
"""Columns of a terminal that a table must fit into, by leaving out what can be left out."""
_TIED = "≈"


def front_json(run: Run) -> dict[str, object]:
    """Give the front as scripts read it; its keys are a contract.

    Args:
        run: A search, finished or not.

    Returns:
        Plain data that JSON can write; what is not a finite number is None.
    """
    counts = {outcome.value: run.count(outcome) for outcome in Outcome}
    ties = _ties(run)
    return {
        "run": str(run.folder),
        "name": run.name,
        "finished": run.finished,
        "objectives": [
            {"metric": objective.metric, "better": "higher" if objective.higher_is_better else "lower"}
            for objective in run.front.objectives
        ],
        "hypervolume": _finite(run.front.hypervolume),
        "trials": {
            "complete": counts["trained"],
            "pruned": counts.get("pruned", 0),
            "infeasible": counts["infeasible"],
            "failed": counts["failed"],
        },
        "front": [_record(member, run, ties.get((member.trial, member.precision))) for member in run.front.members],
    }


def _ties(run: Run) -> dict[tuple[int, str], str]:
    """Name, as ``export --pick`` does, from whose latency a member's cannot be told; by its trial and precision."""
    return {(one.trial, one.precision): f"{two.trial}:{two.precision}" for one, two in latency_ties(run.front)}


def _record(member: Member, run: Run, tie: str | None) -> dict[str, object]:
    metrics = {name: _finite(value) for name, value in member.metrics.items() if "." not in name}
    by_part = {name: _finite(value) for name, value in member.metrics.items() if "." in name}
    return {
        "trial": member.trial,
        "digest": member.digest,
        "precision": member.precision,
        **{name: metrics.pop(name) for name in (run.primary_metric, *METRICS_OF_COST) if name in metrics},
        **metrics,
        **by_part,
        "latency_low_ms": _finite(member.latency.low_ms),
        "latency_high_ms": _finite(member.latency.high_ms),
        "latency_rounds": member.latency.rounds,
        "latency_length": member.latency.length,
        "latency_provisional": member.latency.provisional,
        "parity_max_abs_difference": _finite(member.parity_max_abs_difference),
        "agreement_share": _finite(member.agreement_share),
        "latency_tied_with": tie,
        "knee": member == knee(run.front),
    }


def _finite(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) >= 1000 else float(value)


def front_table(run: Run, *, width: int = WIDTH) -> Table | Text:
    """Give the front as a table; the marks in its first column are what ``export --pick`` takes.

    Args:
        run: A search, finished or not.
        width: Columns of text; what is least needed is left out until the table fits.

    Returns:
        The table, or why there is none.
    """
    if not run.front.members:
        return Text(f"{_counts(run)}\nthe front is empty: {why_empty(run)}")
    needed = [objective.metric for objective in run.front.objectives]
    known = {name for member in run.front.members for name in member.metrics}
    wanted = [f"test_{run.primary_metric}", "size_bytes", "latency_ms", "params", "macs", "digest"]
    optional = [name for name in wanted if name not in needed and name in {*known, "digest"}]
    measure = Console(width=1000)  # wide enough for what no column is cut
    while True:
        table = _table(run, [*needed, *optional])
        if not optional or measure.measure(table).maximum <= width:
            return table
        optional.pop()


def _table(run: Run, names: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), caption=_caption(run), caption_justify="left")
    for name in ("pick", "trial", "precision"):
        table.add_column(name, no_wrap=True, justify="right" if name == "trial" else "left")
    for name in names:
        table.add_column(name, no_wrap=True, justify="right")
    marks = _marks(run)
    cells_by_name = {name: _cells(name, [member.metrics for member in run.front.members]) for name in names}
    ties = _ties(run)
    for row, member in enumerate(run.front.members):
        mark = ", ".join(name for name, marked in marks.items() if marked == member)
        cells = [member.digest if name == "digest" else cells_by_name[name][row] for name in names]
        if (member.trial, member.precision) in ties:
            latency = names.index("latency_ms")
            cells[latency] = f"{_TIED}{cells[latency]}"
        table.add_row(mark, str(member.trial), member.precision, *cells, style="bold" if mark else "")
    return table


def _cells(name: str, members: Sequence[Mapping[str, float]]) -> list[str]:
    """Write a column in the unit of its name, with as many decimals in all rows, so that magnitudes show."""
    values = [metrics.get(name, math.nan) for metrics in members]
    if name.endswith("_bytes") or name in ("params", "macs"):
        decimals = 0
    elif name.endswith("_ms"):
        smallest = min((value for value in values if math.isfinite(value) and value > 0), default=1.0)
        decimals = min(6, max(0, 2 - math.floor(math.log10(smallest))))
    else:
        decimals = 4
    return [f"{value:,.{decimals}f}" if math.isfinite(value) else "-" for value in values]


def _marks(run: Run) -> dict[str, Member]:
    if not run.front.members:
        return {}
    marks, metric = {"knee": knee(run.front)}, run.primary_metric
    if any(metric in member.metrics for member in run.front.members):
        marks["best"] = best(run.front, metric, higher_is_better=run.higher_is_better(metric))
    return marks


def _caption(run: Run) -> Text:
    # The hypervolume compares searches; of a single student it says nothing.
    volume = [f"hypervolume {run.front.hypervolume:.3f}"] if len(run.trials) > 1 else []
    lines = ["; ".join([*volume, _counts(run)])]
    if run.limits:
        lines.append("limits: " + ", ".join(map(str, run.limits)))
    if _ties(run):
        lines.append(f"{_TIED} not told from the latency of a member that is as good in all else")
    if any(member.latency.provisional for member in run.front.members):
        lines.append("latencies are provisional: other trials ran while they were measured")
    return Text("\n".join(lines), style="")


def _counts(run: Run) -> str:
    counts = [*((run.count(outcome), outcome.value) for outcome in Outcome), (run.num_open, "open")]
    parts = ", ".join(f"{count} {name}" for count, name in counts if count)
    return f"{counted(run.num_proposed, 'trial')}: {parts or 'none yet'}"


def next_steps(run: Run) -> str:
    """Say what to open and what to type after a search.

    Args:
        run: Its report is written.
    """
    steps = {
        "report": f"{run.folder / 'report.html'}",
        "MLflow": run.tracking.get("command", ""),
        "charts": run.tracking.get("charts", ""),
        "export": typed("automl", "export", run.folder, "--pick", "knee", "--to", f"{run.name}-student"),
    }
    return "\n".join(f"{name}  {text}" for name, text in steps.items() if text)
