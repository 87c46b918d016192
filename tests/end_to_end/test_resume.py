"""A search that is killed goes on as if it had not been."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl.run_folder import load_run
from trials.records import Outcome


def outcome_of(folder: Path) -> list[tuple[Any, ...]]:
    run = load_run(folder)
    assert [finished.trial.number for finished in run.trials] == list(range(len(run.trials)))
    assert run.count(Outcome.TRAINED) == len(run.trials)
    return [
        (finished.trial.number, finished.result.digest, finished.result.candidates[0].metrics["accuracy"])
        for finished in run.trials
    ]


def front_of(folder: Path) -> list[tuple[Any, ...]]:
    members = load_run(folder).front.members
    return [(m.trial, m.digest, m.metrics["accuracy"], m.metrics["size_bytes"]) for m in members]


@pytest.mark.timeout(400)
def test_a_search_killed_twice_ends_with_the_front_of_an_undisturbed_one(make_search: Callable[[str], Any]) -> None:
    undisturbed = make_search("undisturbed")
    code, output, errors = undisturbed.run("search", "small.yaml")
    assert code == 0, errors
    assert "automl export" in output

    killed = make_search("killed")
    for results in (2, 4):
        process = killed.start("search", "small.yaml", "--resume")
        killed.wait_for_results(results)
        killed.kill(process)
        # Half a line, as a process killed while it writes leaves it.
        with killed.journal.open("ab") as journal:
            journal.write(b'{"op_code": 5, "wor')
    code, _, errors = killed.run("search", "small.yaml", "--resume")
    assert code == 0, errors

    assert outcome_of(killed.journal.parent) == outcome_of(undisturbed.journal.parent)
    assert front_of(killed.journal.parent) == front_of(undisturbed.journal.parent)

    code, output, errors = killed.run("front", "runs/small", "--json")
    assert code == 0, errors
    assert json.loads(output)["trials"]["complete"] == 6
    code, _, errors = killed.run("search", "small.yaml")
    assert code == 2
    assert "exists" in errors
    assert "--resume" in errors
