"""The front as a table and in words: Markdown for MLflow's descriptions, CSV for people's sheets."""

from collections.abc import Mapping, Sequence

from automl.numbers import counted
from automl.run import Run
from automl.tracking.rows import MAX_VALUE
from automl.tracking.views import link, run_link


def front_table(run: Run, *, everything: bool = False) -> list[dict[str, object]]:
    """Write the front as rows: trial, digest, precision, then the metrics, those of the objectives first.

    Args:
        run: With its front.
        everything: Whether parts of a metric, such as ``accuracy.7`` of a class, stand in it too.

    Returns:
        One row a member, in the order of the front.
    """
    first = [objective.metric for objective in run.front.objectives]
    found = sorted({name for member in run.front.members for name in member.metrics if everything or "." not in name})
    names = list(dict.fromkeys([*first, *found]))
    return [
        {
            "trial": member.trial,
            "digest": member.digest,
            "precision": member.precision,
            **{name: member.metrics.get(name) for name in names},
        }
        for member in run.front.members
    ]


def short_table(run: Run) -> list[dict[str, object]]:
    """Write the front as rows that fit into a description: what students were chosen by, and the test split's word."""
    kept = ["trial", "precision", *(objective.metric for objective in run.front.objectives)]
    kept += [f"test_{run.primary_metric}", "digest"]
    return [{name: row[name] for name in kept if name in row} for row in front_table(run)]


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Write a table in Markdown.

    Args:
        rows: As ``front_table`` gives them.

    Returns:
        The table; a sentence where there are no rows.
    """
    if not rows:
        return "The front is empty: no trained student keeps all limits."
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    for row in rows:
        cells = [
            f"{value:.5g}" if isinstance(value, float) and value < 1e4 else _whole(value) for value in row.values()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def comma_separated(rows: Sequence[Mapping[str, object]]) -> str:
    """Write a table as comma-separated values with a line of names; empty where there are no rows."""
    lines = [list(rows[0])] if rows else []
    lines += [["" if value is None else str(value) for value in row.values()] for row in rows]
    return "".join(",".join(line) + "\n" for line in lines)


def _whole(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, float) else "" if value is None else str(value)


def _on_front(run: Run) -> str:
    """Count as the report does: a student in two precisions is one student, in two versions."""
    students = len({member.digest for member in run.front.members})
    versions = len(run.front.members)
    return f"{counted(students, 'student')} on the front" + (f", in {versions} versions" if versions > students else "")


def note(run: Run, experiment_id: str, *, summary_id: str = "") -> str:
    """Describe the front, in Markdown, with links to the pages that show it.

    Args:
        run: With its front.
        experiment_id: MLflow's.
        summary_id: MLflow's id of the run that shows the front; empty in that run's own description.

    Returns:
        A text that MLflow takes as a tag; its first line stays visible where the page folds it.
    """
    counts = ", ".join(f"{count} {name}" for name, count in run.counts().items())
    # Short, since MLflow folds what follows the first line.
    pages = {"charts": "charts", "members": "members", "trials": "all trials"}
    links = " · ".join(f"[{text}]({link(experiment_id, page)})" for page, text in pages.items())
    if summary_id:
        links += f" · [report and files]({run_link(experiment_id, summary_id)})"
    state = "" if run.finished else " (the search has not ended; latencies are provisional)"
    head = f"**{_on_front(run)}{state}:** {links}"
    facts = f"{counted(len(run.trials), 'trial')}: {counts}. Hypervolume {run.front.hypervolume:.4f}."
    facts += f" Limits: {', '.join(str(limit) for limit in run.limits)}." if run.limits else ""
    facts += "" if run.warm_start is None else f" {run.warm_start.sentence()}."
    table = markdown(short_table(run))
    tail = f"Members are the runs with `tags.front = 'member'`, red in the charts. Folder: `{run.folder.resolve()}`."
    fixed = "\n\n".join([head, facts, "", tail])
    # A long front is cut by whole rows, so that what follows it stays a sentence.
    while len(table) + len(fixed) > MAX_VALUE - 100:
        table = table.rsplit("\n", 2)[0] + "\n| … |"
    return "\n\n".join([head, facts, table, tail])
