"""What MLflow's page shows first: charts and columns preset through its shared view state, and where to click.

MLflow 3 keeps a shared view in the experiment's tag ``mlflow.sharedViewState.KEY`` (plain JSON is taken) and applies it
to a page that is opened with ``?viewStateShareKey=KEY``.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from automl.commands_to_type import typed
from automl.front.objectives import Objective
from automl.masking import mask
from automl.tracking.connection import is_server
from automl.tracking.rows import FRONT_TAG, LOGARITHM, MEMBER, PROVISIONAL, SHARE, TEACHER_SHARE
from automl.tracking.rung_rows import RUNG

VIEW_TAG = "mlflow.sharedViewState."
CHARTS, MEMBERS, TRIALS = "front", "members", "trials"
PICTURE_KEY = "front"
_SECTION = "pareto-front"
_FOLDED = ("Model metrics", "loss", *(prefix.rstrip("/") for prefix in (SHARE, TEACHER_SHARE, LOGARITHM, RUNG)))
"""Sections of MLflow's charts that are opened by a click."""


@dataclass(frozen=True, kw_only=True)
class UiHint:
    """What to type and what to open to see the front in MLflow.

    Args:
        command: Starts MLflow's page on the run's store; empty where a tracking server shows it already.
        charts: Address of the front in charts.
        members: Address of the table of members only.
        trials: Address of the table of all trials.
    """

    command: str
    charts: str
    members: str
    trials: str


def ui_hint(uri: str, experiment_id: str, *, port: int = 5000) -> UiHint:
    """Say how to open a search in MLflow.

    Args:
        uri: Tracking URI; its secrets are masked.
        experiment_id: Of the search.
        port: On which the page is served, where ``mlflow ui`` has to be started.

    Returns:
        Command and addresses.
    """
    if is_server(uri):
        command, base = "", mask(uri).rstrip("/")
    else:
        command = typed("mlflow", "ui", "--backend-store-uri", _short(mask(uri)), "--port", str(port))
        base = f"http://127.0.0.1:{port}"
    return UiHint(
        command=command, **{key: base + "/" + link(experiment_id, key) for key in ("charts", "members", "trials")}
    )


def link(experiment_id: str, page: str) -> str:
    """Give the address of a page below the server's.

    Args:
        experiment_id: Of the search.
        page: ``charts``, ``members`` or ``trials``.

    Returns:
        An address that starts with ``#/``.
    """
    key, mode = {"charts": (CHARTS, "CHART"), "members": (MEMBERS, "TABLE"), "trials": (TRIALS, "TABLE")}[page]
    # The kind of work is named so that the page leaves out what is about language models.
    return (
        f"#/experiments/{experiment_id}/runs?viewStateShareKey={key}&compareRunsMode={mode}"
        "&workflowType=machine_learning"
    )


def run_link(experiment_id: str, run_id: str) -> str:
    """Give the address of the files of one run, below the server's."""
    return f"#/experiments/{experiment_id}/runs/{run_id}/artifacts?workflowType=machine_learning"


def _short(uri: str) -> str:
    """Write a store below the current folder relative to it, so that the line can be typed."""
    path = uri.removeprefix("sqlite:///")
    if path == uri or not Path(path).is_relative_to(Path.cwd()):
        return uri
    return f"sqlite:///{Path(path).relative_to(Path.cwd())}"


def view_tags(
    objectives: Sequence[Objective], *, primary_metric: str, precisions: Iterable[str], final: bool
) -> dict[str, str]:
    """Preset the pages of an experiment.

    Args:
        objectives: Of the search.
        primary_metric: On the vertical axis of each chart.
        precisions: Suffixes of further precisions that stand on the front, such as ``.int8``.
        final: Whether latency was measured alone; before, only provisional figures are there.

    Returns:
        Tags of the experiment: value by name.
    """
    latency = "latency_ms" if final else PROVISIONAL
    costs = [
        ((LOGARITHM if objective.log else ""), latency if objective.metric == "latency_ms" else objective.metric)
        for objective in objectives
        if objective.metric != primary_metric
    ]
    pairs = [(prefix + cost, primary_metric) for prefix, cost in costs]
    pairs += [(prefix + cost + suffix, primary_metric + suffix) for suffix in precisions for prefix, cost in costs]
    pairs += [(cost, primary_metric) for prefix, cost in costs if prefix]
    # Members alone have a final latency; against the provisional one, they are seen among all trials.
    pairs += [(f"{prefix}{PROVISIONAL}", primary_metric) for prefix, cost in costs if final and cost == "latency_ms"]
    shown = [primary_metric, *(cost for _, cost in costs)]
    shown += [name + suffix for suffix in precisions for name in shown]
    if final and latency in shown:
        shown.append(PROVISIONAL)
    columns = [f"metrics.`{name}`" for name in shown]
    columns += [f"tags.`{name}`" for name in (FRONT_TAG, "front_precisions", "outcome", "digest")]
    views = {
        CHARTS: _charts(pairs, columns, picture_at=len(costs)),
        MEMBERS: _table(columns, where=f"tags.{FRONT_TAG} = '{MEMBER}'", by=f"metrics.`{primary_metric}`"),
        TRIALS: _table(columns, where="", by=f"tags.`{FRONT_TAG}`"),
    }
    return {VIEW_TAG + key: json.dumps(view, separators=(",", ":")) for key, view in views.items()}


def _charts(pairs: Sequence[tuple[str, str]], columns: Sequence[str], *, picture_at: int) -> dict[str, object]:
    picture = {"type": "IMAGE", "uuid": "picture", "imageKeys": [PICTURE_KEY], "step": 0, "showRunParams": False}
    charts: list[dict[str, object]] = [
        {
            "type": "SCATTER",
            "uuid": f"{across}-{up}",
            "xaxis": {"key": across, "type": "METRIC"},
            "yaxis": {"key": up, "type": "METRIC"},
        }
        for across, up in pairs
    ]
    # A row holds three cards: with two costs, theirs come first and then the picture, which shows all precisions.
    charts.insert(picture_at, picture)
    common = {"runsCountToCompare": 1000, "metricSectionId": _SECTION, "deleted": False, "isGenerated": False}
    return {
        **_table(columns, where="", by=f"tags.`{FRONT_TAG}`"),
        "runListHidden": True,
        "hideEmptyCharts": True,
        # Without it MLflow sorts the sections itself and drops those that it does not know.
        "isAccordionReordered": True,
        "compareRunCharts": [{**common, **chart} for chart in charts],
        "compareRunSections": [
            _section(_SECTION, "Front: members red, others grey", display=True),
            *(_section(name, name, display=False) for name in _FOLDED),
        ],
    }


def _section(uuid: str, name: str, *, display: bool) -> dict[str, object]:
    return {
        "uuid": uuid,
        "name": name,
        "display": display,
        "isReordered": False,
        "deleted": False,
        "isGenerated": False,
    }


def _table(columns: Sequence[str], *, where: str, by: str) -> dict[str, object]:
    # MLflow loads a hundred runs at a time. Sorted by the tag, the summary run and the members are among the first.
    return {
        "selectedColumns": list(columns),
        "runsHiddenMode": "SHOW_ALL",
        "searchFilter": where,
        "orderByKey": by,
        "orderByAsc": by.startswith("tags."),
    }
