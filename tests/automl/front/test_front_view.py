import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from automl.front.latency_ties import latency_ties
from automl.front.objectives import Objective
from automl.front.pareto_front import knee
from automl.front.view import front_json, front_table, next_steps
from automl.run import Run
from trials.records import Limit, Outcome

MakeRun = Callable[..., Run]


def lines(table: Table, *, width: int = 80) -> list[str]:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def column(page: list[str], name: str) -> list[str]:
    """Cut a right-aligned column out of a printed table."""
    (header,) = [line for line in page if "precision" in line]
    end = header.index(name) + len(name)
    rows = page[page.index(header) + 2 :]
    return [row[:end].split()[-1] for row in rows[: rows.index("")]]


def test_the_json_has_the_keys_of_the_contract(make_run: MakeRun) -> None:
    run = make_run(trials=12)
    record = json.loads(json.dumps(front_json(run), allow_nan=False))
    assert {"run", "objectives", "hypervolume", "trials", "front"} <= set(record)
    assert record["run"] == str(run.folder)
    assert record["objectives"] == [
        {"metric": "accuracy", "better": "higher"},
        {"metric": "latency_ms", "better": "lower"},
        {"metric": "size_bytes", "better": "lower"},
    ]
    assert record["trials"] == {
        "complete": run.count(Outcome.TRAINED),
        "pruned": 0,
        "infeasible": run.count(Outcome.INFEASIBLE),
        "failed": run.count(Outcome.FAILED),
    }
    assert sum(record["trials"].values()) == 12
    assert record["hypervolume"] == run.front.hypervolume
    for given, member in zip(record["front"], run.front.members, strict=True):
        assert list(given)[:7] == ["trial", "digest", "precision", "accuracy", "latency_ms", "size_bytes", "params"]
        assert (given["trial"], given["digest"], given["precision"]) == (member.trial, member.digest, member.precision)
        for name, value in member.metrics.items():
            assert given[name] == value


def test_the_json_marks_one_knee(make_run: MakeRun) -> None:
    run = make_run(trials=12)
    (marked,) = [member for member in front_json(run)["front"] if member["knee"]]  # type: ignore[attr-defined] # a list
    assert marked["trial"] == knee(run.front).trial


def test_what_is_no_number_is_null_in_json(make_run: MakeRun) -> None:
    run = make_run(trials=2)
    first = run.front.members[0]
    odd = replace(first, metrics={**first.metrics, "test_accuracy": math.nan}, parity_max_abs_difference=math.inf)
    run = replace(run, front=replace(run.front, members=(odd, *run.front.members[1:])))
    text = json.dumps(front_json(run), allow_nan=False)
    assert json.loads(text)["front"][0]["test_accuracy"] is None
    assert json.loads(text)["front"][0]["parity_max_abs_difference"] is None


def test_an_empty_front_is_shown_as_such(make_run: MakeRun) -> None:
    run = make_run(trials=0)
    assert front_json(run)["front"] == []
    assert str(front_table(run)) == "0 trials: none yet\nthe front is empty: no trial has ended yet"
    limits = (Limit(metric="accuracy", at_most=False, value=0.999),)
    strict = make_run(trials=6, limits=limits)
    assert front_json(strict)["front"] == []
    first, why, nearest, remedy = str(front_table(strict)).splitlines()
    assert first == "6 trials: 6 trained"
    assert why == "the front is empty: no student keeps the limits (accuracy >= 0.999); 6 students trained"
    highest = max(c.metrics["accuracy"] for f in strict.trials for c in f.result.candidates if "accuracy" in c.metrics)
    assert f"accuracy >= 0.999: the nearest student has accuracy {highest:.4g} (trial " in nearest
    assert "loosen limits in the config and type `automl search CONFIG --resume`" in remedy


def test_the_table_fits_80_columns_and_wraps_nothing(make_run: MakeRun) -> None:
    run = make_run(trials=24)
    page = lines(front_table(run))
    assert max(map(len, page)) <= 80
    assert latency_ties(run.front)
    assert len(page) == 1 + 2 + len(run.front.members) + 1 + 3
    assert "…" not in "".join(page)


def test_a_wider_terminal_shows_more(make_run: MakeRun) -> None:
    run = make_run(trials=12)
    assert "digest" not in "".join(lines(front_table(run)))
    wide = lines(front_table(run, width=140), width=140)
    assert any(run.front.members[0].digest in line for line in wide)


def test_rows_stand_in_the_order_of_the_front_with_units_of_the_headers(make_run: MakeRun) -> None:
    run = make_run(trials=12)
    page = lines(front_table(run))
    assert column(page, "accuracy") == [f"{member.metrics['accuracy']:.4f}" for member in run.front.members]
    assert column(page, "size_bytes") == [f"{member.metrics['size_bytes']:,.0f}" for member in run.front.members]


def test_the_smallest_latency_shows_three_digits_and_all_as_many_decimals(make_run: MakeRun) -> None:
    run = make_run(trials=12)
    cells = [cell.removeprefix("≈") for cell in column(lines(front_table(run)), "latency_ms")]
    smallest = min(cells, key=float)
    assert len(smallest.lstrip("0.")) == 3
    assert len({len(cell.split(".")[1]) for cell in cells}) == 1


def test_marks_are_what_export_picks(make_run: MakeRun) -> None:
    run = make_run(trials=12)
    page = lines(front_table(run))
    marked = {line.split()[0]: line.split()[1] for line in page if line.strip().startswith(("best ", "knee "))}
    assert marked == {"best": str(run.front.members[0].trial), "knee": str(knee(run.front).trial)}


def test_one_member_bears_both_marks(make_run: MakeRun) -> None:
    run = make_run(trials=12)
    run = replace(run, front=replace(run.front, members=run.front.members[:1]))
    page = lines(front_table(run))
    assert any(line.strip().startswith("knee, best") for line in page)
    assert any("test_accuracy" in line for line in page)


def test_latencies_beside_other_work_are_called_provisional(make_run: MakeRun) -> None:
    word = "latencies are provisional"
    assert any(word in line for line in lines(front_table(make_run(trials=8, finished=False))))
    assert not any(word in line for line in lines(front_table(make_run(trials=8))))


def test_members_whose_latency_is_not_told_from_a_better_one_are_marked(make_run: MakeRun) -> None:
    run = make_run(trials=24)
    ties = {(one.trial, one.precision): f"{two.trial}:{two.precision}" for one, two in latency_ties(run.front)}
    assert 0 < len(ties) < len(run.front.members)
    records: Any = front_json(run)["front"]
    assert [record["latency_tied_with"] for record in records] == [
        ties.get((member.trial, member.precision)) for member in run.front.members
    ]
    page = lines(front_table(run))
    assert [cell.startswith("≈") for cell in column(page, "latency_ms")] == [
        (member.trial, member.precision) in ties for member in run.front.members
    ]
    assert any(line.startswith("≈ not told from the latency of a member") for line in page)
    apart = replace(run, front=replace(run.front, members=run.front.members[:1]))
    assert "≈" not in "".join(lines(front_table(apart)))


def test_many_objectives_are_all_shown(make_run: MakeRun) -> None:
    names = ("accuracy", "latency_ms", "size_bytes", "params", "macs")
    objectives = tuple(
        Objective(metric=name, higher_is_better=name == "accuracy", worst=0.0 if name == "accuracy" else 1e9, best=1.0)
        for name in names
    )
    page = "\n".join(lines(front_table(make_run(trials=12, objectives=objectives)), width=120))
    assert all(name in page for name in names)


def test_next_steps_name_a_tracking_server_where_there_is_one(make_run: MakeRun) -> None:
    run = replace(make_run(), tracking={"command": "", "charts": "http://mlflow:5000/#/experiments/1"})
    steps = next_steps(run).splitlines()
    assert "charts  http://mlflow:5000/#/experiments/1" in steps
    assert not any(step.startswith("MLflow") for step in steps)


def test_next_steps_can_be_pasted_whatever_the_run_is_called(make_run: MakeRun) -> None:
    last = next_steps(make_run(folder=Path("my dir/R x"), name="R x")).splitlines()[-1]
    assert last == "export  automl export 'my dir/R x' --pick knee --to 'R x-student'"


def test_how_near_a_graph_is_to_the_module_has_a_name_for_each_meaning(make_run: MakeRun) -> None:
    for member in front_json(make_run(trials=30))["front"]:
        exact = member["precision"] == "float32"
        assert member["parity_max_abs_difference"] == (3e-6 if exact else None)
        assert member["agreement_share"] == (None if exact else 0.992)


def test_of_one_student_no_hypervolume_is_told(make_run: MakeRun) -> None:
    assert any(line.startswith(" hypervolume") or "hypervolume " in line for line in lines(front_table(make_run(3))))
    assert not any("hypervolume" in line for line in lines(front_table(make_run(1))))


def test_trials_that_have_not_ended_are_counted_below_the_table(make_run: MakeRun) -> None:
    open_run = replace(make_run(trials=5), num_open=2)
    assert any("7 trials: 5 trained, 2 open" in line for line in lines(front_table(open_run)))
    assert not any(" open" in line for line in lines(front_table(make_run(trials=5))))
