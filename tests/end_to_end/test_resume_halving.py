"""A search with halving that is killed at a rung decides as if it had not been."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl.run_folder import load_run

HALVED = "search: {sampler: tpe, trials: 6, in_flight: 1, halving: {rungs: [1, 3], reduction: 2}}"


def course_of(folder: Path) -> list[tuple[Any, ...]]:
    run = load_run(folder)
    assert [finished.trial.number for finished in run.trials] == list(range(6))
    return [
        (
            finished.result.digest,
            finished.result.outcome,
            finished.result.candidates[0].metrics["accuracy"],
            [(record.epoch, record.candidate.metrics["accuracy"], record.goes_on) for record in finished.rungs],
        )
        for finished in run.trials
    ]


def halved(search: Any) -> Any:
    config = search.folder / "small.yaml"
    text = config.read_text()
    config.write_text(text[: text.index("search:")].replace("epochs: 2", "epochs: [6, 4]") + HALVED)
    return search


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_killed_at_rungs_ends_as_an_undisturbed_one(make_search: Callable[[str], Any]) -> None:
    undisturbed = halved(make_search("undisturbed"))
    code, _, errors = undisturbed.run("search", "small.yaml")
    assert code == 0, errors

    killed = halved(make_search("killed"))
    for decisions in (2, 5):
        process = killed.start("search", "small.yaml", "--resume")
        deadline = time.monotonic() + 120
        while not killed.journal.exists() or killed.journal.read_text().count('"rungs"') < decisions:
            assert time.monotonic() < deadline, "no trial came to a rung in two minutes"
            time.sleep(0.02)
        killed.kill(process)
    code, _, errors = killed.run("search", "small.yaml", "--resume")
    assert code == 0, errors
    assert course_of(killed.journal.parent) == course_of(undisturbed.journal.parent)
