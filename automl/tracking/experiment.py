"""One search as one MLflow experiment: whatever is sent is sent once, and sending it again changes nothing."""

import json
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.run import FinishedTrial
from automl.tracking.connection import ARTEFACT_FOLDER, connect, is_server
from automl.tracking.rows import (
    DIGEST_TAG,
    FOLDER_TAG,
    FRONT_TAG,
    NOTE_TAG,
    SUMMARY,
    TRIAL_TAG,
    MetricRow,
    RunRow,
    trial_row,
)

SEARCH_TAG = "automl.search"
KEY_FILE = "tracking.json"
_PER_BATCH = 100
"""MLflow takes 100 parameters, 100 tags and 1,000 values in all in one call."""


@dataclass(kw_only=True)
class KnownRun:
    """What MLflow has of a trial, or of the front.

    Args:
        run_id: MLflow's.
        ended: Whether its row is there as a whole; if not, sending stopped in the middle.
        front: Its tag ``front``.
    """

    run_id: str
    ended: bool
    front: str


class Experiment:
    """An open connection to the experiment of one search; every method may raise when the server is away.

    Args:
        uri: Tracking URI.
        folder: Of the run.
        name: Of the experiment; where another search has it already, a number is added.
        tags: Of the experiment, when it is made.
        logarithmic: Metrics that are shown by their logarithm too.
        on_progress: Called whenever MLflow has taken something.
    """

    def __init__(
        self,
        uri: str,
        folder: Path,
        *,
        name: str,
        tags: Mapping[str, str],
        logarithmic: Collection[str] = (),
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.logarithmic = logarithmic
        self.on_progress = on_progress
        self.client = connect(uri)
        self.folder = folder.resolve()
        self._location = None if is_server(uri) else (self.folder / ARTEFACT_FOLDER).as_uri()
        self.id = self._find_or_make(name, search_key(folder), tags)
        self._known = self._read_known()

    def _find_or_make(self, name: str, key: str, tags: Mapping[str, str]) -> str:
        number = 1
        while True:
            candidate = name if number == 1 else f"{name} ({number})"
            found = self.client.get_experiment_by_name(candidate)
            if found is None:
                marks = {
                    **tags,
                    SEARCH_TAG: key,
                    FOLDER_TAG: str(self.folder),
                    # Tells MLflow's page that this is about models, so that it does not ask nor show traces.
                    "mlflow.experimentKind": "custom_model_development",
                }
                return str(self.client.create_experiment(candidate, self._location, tags=marks))
            if found.tags.get(SEARCH_TAG) == key and found.lifecycle_stage == "active":
                return str(found.experiment_id)
            number += 1

    def _read_known(self) -> dict[tuple[str, str], KnownRun]:
        known: dict[tuple[str, str], KnownRun] = {}
        page: Any = None
        while page is None or page.token:
            page = self.client.search_runs(
                [self.id],
                max_results=1000,
                order_by=["attributes.start_time ASC"],
                page_token=page.token if page else None,
            )
            for run in page:
                if TRIAL_TAG in run.data.tags:
                    self._take(known, run)
        return known

    def _take(self, known: dict[tuple[str, str], KnownRun], run: Any) -> None:
        tags = run.data.tags
        key = (tags[TRIAL_TAG], tags.get(DIGEST_TAG, ""))
        entry = KnownRun(run_id=run.info.run_id, ended=run.info.status != "RUNNING", front=tags.get(FRONT_TAG, ""))
        before = known.get(key)
        if before is None:
            known[key] = entry
            return
        # The answer to "create" was lost once, and the run was made twice: keep the one that is whole.
        keep, drop = (entry, before) if entry.ended and not before.ended else (before, entry)
        self.client.delete_run(drop.run_id)
        known[key] = keep

    def find(self, trial: int, digest: str) -> KnownRun | None:
        """Say what MLflow has of a trial, or None."""
        return self._known.get((str(trial), digest))

    def has(self, finished: FinishedTrial) -> bool:
        """Say whether MLflow has a trial as a whole."""
        known = self.find(finished.trial.number, finished.trial.digest)
        return known is not None and known.ended

    def send_trial(self, finished: FinishedTrial) -> str:
        """Send a trial that ended, or the rest of it, or nothing where MLflow has it as a whole.

        Args:
            finished: The trial.

        Returns:
            MLflow's run id.
        """
        known = self.find(finished.trial.number, finished.trial.digest)
        if known is not None and known.ended:
            return known.run_id
        row = trial_row(finished, folder=str(self.folder), logarithmic=self.logarithmic)
        return self._send(row, (row.tags[TRIAL_TAG], row.tags[DIGEST_TAG])).run_id

    @property
    def summary_id(self) -> str | None:
        """MLflow's id of the run that shows the front, once there is one."""
        known = self._known.get((SUMMARY, ""))
        return known.run_id if known else None

    def send_summary(self, row: RunRow) -> str:
        """Make the run that shows the front, or bring it up to date.

        Args:
            row: Its tag ``automl.trial`` is ``all``.

        Returns:
            MLflow's run id.
        """
        return self._send(row, (SUMMARY, "")).run_id

    def _send(self, row: RunRow, key: tuple[str, str]) -> KnownRun:
        known = self._known.get(key)
        if known is None:
            # The tags that name the trial go with the call that makes the run: a run without them cannot come to be.
            made = self.client.create_run(self.id, start_time=row.start_ms, tags=dict(row.tags), run_name=row.name)
            known = KnownRun(run_id=made.info.run_id, ended=False, front=row.tags.get(FRONT_TAG, ""))
            self._known[key] = known
        elif row.tags:
            self.tag(known, row.tags)
        self.log(known.run_id, params=row.params, metrics=row.metrics)
        self.client.set_terminated(known.run_id, row.status, row.end_ms)
        known.ended = True
        self.on_progress()
        return known

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        metrics: Sequence[MetricRow] = (),
        model_id: str | None = None,
    ) -> None:
        """Write parameters and values to a run, in as few calls as MLflow allows.

        Args:
            run_id: MLflow's.
            params: By name.
            metrics: Those that are there already stay as they are.
            model_id: Of the logged model that the values are about, if any.
        """
        from mlflow.entities import Metric, Param

        pairs = [Param(key, value) for key, value in (params or {}).items()]
        values = [
            Metric(row.key, row.value, row.timestamp_ms, row.step, **({"model_id": model_id} if model_id else {}))
            for row in metrics
        ]
        for start in range(0, max(len(pairs), 1), _PER_BATCH):
            part = pairs[start : start + _PER_BATCH]
            # MLflow's limit is on both together.
            taken = 1000 - len(part)
            self.client.log_batch(run_id, metrics=values[:taken], params=part)
            self.on_progress()
            values = values[taken:]
        for start in range(0, len(values), 1000):
            self.client.log_batch(run_id, metrics=values[start : start + 1000])

    def tag(self, known: KnownRun, tags: Mapping[str, str]) -> None:
        """Set tags of a run, in one call."""
        from mlflow.entities import RunTag

        self.client.log_batch(known.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
        self.on_progress()
        known.front = tags.get(FRONT_TAG, known.front)

    def tag_experiment(self, tags: Mapping[str, str]) -> None:
        """Set tags of the experiment: its description, its views."""
        for key, value in tags.items():
            self.client.set_experiment_tag(self.id, key, value)

    def describe(self, text: str) -> None:
        """Set the text that MLflow shows above the experiment, in Markdown."""
        self.tag_experiment({NOTE_TAG: text})

    def missing(self, trials: Iterable[FinishedTrial]) -> list[FinishedTrial]:
        """Pick the trials that MLflow lacks, or has only in part."""
        return [finished for finished in trials if not self.has(finished)]


def search_key(folder: Path) -> str:
    """Give the name by which a search finds its own experiment again, made when first asked for.

    It lives in the run's folder: a search that is started afresh under the same name gets an experiment of its own.

    Args:
        folder: Of the run; made if it is not there.

    Returns:
        Hexadecimal digits.
    """
    file = folder / KEY_FILE
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{KEY_FILE}.{os.getpid()}"
        temporary.write_text(json.dumps({"search": uuid.uuid4().hex}))
        temporary.replace(file)
    return str(json.loads(file.read_text())["search"])
