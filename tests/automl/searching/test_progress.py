"""What a person sees while a search goes on, in a terminal and elsewhere."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from automl.run import Run
from automl.searching import progress as module
from automl.searching.progress import PLAIN_SECONDS, Progress
from automl.searching.standing import Standing
from tests.automl.rung_runs import with_rungs
from trials.records import Outcome


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def plain() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, highlight=False, width=80), file


def follow(progress: Progress, run: Run, clock: Clock, *, seconds: float) -> Standing:
    """Let the trials of a run end one after the other."""
    standing = Standing(run.front.objectives, run.limits)
    progress.on_tick(standing, running=2, proposed=2)
    for finished in run.trials:
        clock.now += seconds
        standing.add(finished)
        progress.on_finished(finished, standing)
        progress.on_tick(standing, running=2, proposed=len(standing.finished) + 2)
    return standing


def test_a_line_counts_what_rungs_stopped(make_run: Callable[..., Run], clock: Clock) -> None:
    console, _ = plain()
    progress = Progress(trials=24, seconds=None, console=console)
    run = with_rungs(make_run(trials=12, finished=False), stopped={1: 1, 2: 4})
    line = progress.line(follow(progress, run, clock, seconds=5), running=2)
    assert line.startswith("12/24 done · 2 running · 2 pruned · 1 infeasible · 1 failed · ")


def test_a_line_counts_and_names_the_best(make_run: Callable[..., Run], clock: Clock) -> None:
    console, _ = plain()
    progress = Progress(trials=24, seconds=None, console=console)
    run = make_run(trials=12, finished=False)
    line = progress.line(follow(progress, run, clock, seconds=5), running=2)
    best = max(member.metrics["accuracy"] for member in run.front.members)
    assert line.startswith(
        f"12/24 done · 2 running · 1 infeasible · 1 failed · hypervolume {run.front.hypervolume:.4f}"
    )
    assert f"best accuracy {best:.4f}".rstrip("0") in line
    assert "latency" in line
    assert line.endswith(" · 1 min 00 s left")  # Twelve more of five seconds.


def test_a_hypervolume_that_latency_decides_is_said_to_be_provisional(
    make_run: Callable[..., Run], clock: Clock
) -> None:
    console, _ = plain()
    run = make_run(trials=4, finished=False)
    standing = follow(Progress(trials=4, seconds=None, console=console), run, clock, seconds=1)
    note = f"hypervolume {standing.hypervolumes[-1]:.4f} (latency provisional) · "
    assert note in Progress(trials=4, seconds=None, console=console).line(standing, running=0)
    rest = [objective for objective in run.front.objectives if objective.metric != "latency_ms"]
    limits = [limit for limit in run.limits if limit.metric != "latency_ms"]
    without = Standing(rest, limits)
    for finished in run.trials:
        without.add(finished)
    line = Progress(trials=4, seconds=None, console=console).line(without, running=0)
    assert "hypervolume" in line
    assert "provisional" not in line


def test_before_the_first_trial_there_is_little_to_say(clock: Clock, make_run: Callable[..., Run]) -> None:
    del clock
    standing = Standing(make_run(trials=0).front.objectives, ())
    console, _ = plain()
    assert Progress(trials=None, seconds=None, console=console).line(standing, running=1) == "0 done · 1 running"
    assert (
        Progress(trials=9, seconds=60, console=console).line(standing, running=0).endswith("running · 1 min 00 s left")
    )


def test_time_left_counts_what_this_process_saw(make_run: Callable[..., Run], clock: Clock) -> None:
    """Trials of an earlier process took none of this one's time."""
    console, _ = plain()
    run = make_run(trials=10, outcomes=dict.fromkeys(range(10), Outcome.TRAINED))
    standing = Standing(run.front.objectives, run.limits)
    for finished in run.trials[:8]:
        standing.add(finished)
    progress = Progress(trials=12, seconds=None, console=console)
    clock.now += 300  # Teachers are trained.
    progress.on_tick(standing, running=1, proposed=9)
    for finished in run.trials[8:]:
        clock.now += 10
        standing.add(finished)
        progress.on_finished(finished, standing)
    assert progress.line(standing, running=0).endswith(" · 20 s left")
    bounded = Progress(trials=12, seconds=7, console=console)
    clock.now += 300
    bounded.on_tick(standing, running=1, proposed=11)
    bounded.on_finished(run.trials[9], standing)
    clock.now += 3
    assert bounded.line(standing, running=0).endswith(" · 4.0 s left")  # Whatever comes first.
    clock.now += 100
    assert "left" not in bounded.line(standing, running=0)


def test_without_a_terminal_plain_lines_come_now_and_then(make_run: Callable[..., Run], clock: Clock) -> None:
    console, file = plain()
    with Progress(trials=40, seconds=None, console=console) as progress:
        run = make_run(trials=40, outcomes=dict.fromkeys(range(40), Outcome.TRAINED))
        follow(progress, run, clock, seconds=PLAIN_SECONDS / 4)
    lines = file.getvalue().splitlines()
    assert len(lines) == 11  # The first as trials begin.
    assert lines[0] == "0/40 done · 2 running"
    assert all("\x1b" not in line and "best accuracy" in line for line in lines[1:])  # Whole, however narrow.


def test_in_a_terminal_one_line_lives_and_vanishes(make_run: Callable[..., Run], clock: Clock) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200, highlight=False, legacy_windows=False, _environ={})
    with Progress(trials=4, seconds=None, console=console) as progress:
        run = make_run(trials=4, outcomes=dict.fromkeys(range(4), Outcome.TRAINED))
        follow(progress, run, clock, seconds=1.0)
        progress._live.refresh()
        assert "4/4 done" in file.getvalue()
    assert file.getvalue().endswith("\x1b[2K") or "\x1b[2K" in file.getvalue()
    assert "\x1b[?25h" in file.getvalue()  # The cursor is back.


def test_the_front_is_not_computed_for_every_tick(make_run: Callable[..., Run], clock: Clock) -> None:
    console, _ = plain()
    progress = Progress(trials=100, seconds=None, console=console)
    run = make_run(trials=3)
    standing = Standing(run.front.objectives, run.limits)
    asked: list[int] = []
    standing.best = lambda: asked.append(1) or {}  # type: ignore[method-assign, func-returns-value]
    for _ in range(1000):
        clock.now += 0.001
        progress.on_tick(standing, running=1, proposed=1)
    assert len(asked) == 1


def test_a_failure_is_told_at_once_by_its_last_line(make_run: Callable[..., Run]) -> None:
    console, file = plain()
    run = make_run(trials=3, outcomes={2: Outcome.FAILED})
    progress = Progress(trials=3, seconds=None, console=console)
    standing = Standing(run.front.objectives, run.limits)
    for finished in run.trials:
        progress.on_finished(finished, standing)
    assert file.getvalue() == "trial 2 failed: RuntimeError: loss is not a number at epoch 3\n"
    odd = replace(run.trials[2], result=replace(run.trials[2].result, error="KeyError: '[bold]x[/]'"))
    progress.on_finished(odd, standing)
    assert file.getvalue().endswith("trial 2 failed: KeyError: '[bold]x[/]'\n")  # Not read as markup.


def test_no_more_is_done_than_there_is(make_run: Callable[..., Run], clock: Clock) -> None:
    progress = Progress(trials=9, seconds=None, console=plain()[0])
    standing = follow(progress, make_run(trials=10, finished=False), clock, seconds=5)
    assert progress.line(standing, running=2).startswith("10/10 done · 2 running")


def test_a_line_that_was_written_last_is_not_written_again(make_run: Callable[..., Run], clock: Clock) -> None:
    console, file = plain()
    progress = Progress(trials=1, seconds=None, console=console)
    standing = follow(progress, make_run(trials=1), clock, seconds=20)
    progress.say(progress.line(standing, running=2))
    assert file.getvalue().count("1/1 done") == 1
