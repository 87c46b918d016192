"""The loop of a search: propose, start, wait, write down."""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from automl.cluster.executor import Executor, LostWorkError, OverdueError, Share, Task
from automl.errors import WorkFailed, disk_is_full
from automl.run import FinishedTrial
from automl.samplers.limited import still_refused
from automl.searching.flights import Flight, places
from automl.searching.halving import Halving
from automl.searching.standing import Standing
from automl.searching.stop_rule import StopRule
from automl.searching.students import Students
from automl.study.ledger import Ledger, Proposal
from trials.records import Artefacts, Latency, Outcome, Trial, TrialResult

_logger = logging.getLogger("automl.searching.controller")

MOST_REPEATS = 100
"""Proposals in a row of students that are known already, after which a space counts as used up."""


class Listener(Protocol):
    """Whoever follows a search as it goes: progress, tracking."""

    def on_finished(self, finished: FinishedTrial, standing: Standing) -> None:
        """Hear that a trial ended; it is in the ledger already."""
        ...

    def on_tick(self, standing: Standing, *, running: int, proposed: int) -> None:
        """Hear, about once a second, how things stand."""
        ...


class Controller:
    """One search: the only one that writes to the study.

    Args:
        ledger: The study.
        executor: Where trials run.
        make_trial: Turns a proposal into a trial.
        function: What runs a trial: ``(trial, setting) → (TrialResult, Artefacts)``. With halving it takes two more,
            what an earlier rung left and the epoch of the next, and gives what that one leaves in place of files.
        setting: Second argument of ``function``, as ``Executor.share`` returned it.
        standing: Trials that ended before; takes those that end.
        students: Where the files of the front are kept.
        share: What a trial takes of the cluster.
        in_flight: Trials that run at once, at most.
        seconds: Time that a trial may take, all its rungs together; None without a bound.
        retries: How often a trial whose process died is started again.
        stop: When to propose no more.
        listeners: Who follows.
        known: Results, by digest, of students that need no training; their files are there and stay until they are
            told.
        halving: Stops trials at rungs; None trains each to its end.
        proxies: Gives the scores, by name, that a student had before it was trained; they are kept with its result.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        executor: Executor,
        make_trial: Callable[[Proposal], Trial],
        function: Callable[..., Any],
        setting: object,
        standing: Standing,
        students: Students,
        share: Share,
        in_flight: int,
        seconds: float | None,
        retries: int,
        stop: StopRule,
        listeners: tuple[Listener, ...],
        known: Mapping[str, TrialResult] | None = None,
        halving: Halving | None = None,
        proxies: Callable[[Trial], Mapping[str, float]] = lambda trial: {},
    ) -> None:
        self._ledger = ledger
        self._executor = executor
        self._make_trial = make_trial
        self._function = function
        self._setting = setting
        self._standing = standing
        self._students = students
        self._share = share
        self._in_flight = in_flight
        self._seconds = seconds
        self._retries = retries
        self._stop = stop
        self._listeners = listeners
        self._halving = halving
        self._proxies = proxies
        self._begun = time.monotonic()
        self._waiting: deque[Proposal] = deque()
        told = {f.result.digest: f.result for f in standing.finished if self._is_known(f.result)}
        self._awaited = (known or {}).keys() - told.keys()
        self._results = {**(known or {}), **told}
        self._repeats = 0
        self._latencies: dict[str, dict[str, Latency]] = {}
        for finished in standing.finished:
            self._learn_latency(finished.trial, finished.result)

    def run(self) -> str:
        """Search until the stop rule says so and all that runs has ended.

        Trials that an earlier process left open go first, under their own numbers.

        Returns:
            Why it stopped.
        """
        self._waiting.extend(self._ledger.running())
        flights: dict[Task, Flight] = {}
        while True:
            full = self._fill(flights)
            if not flights and not self._waiting and (reason := self._reason(flights)):
                return reason
            for task in self._executor.wait(list(flights), seconds=1.0 if full else 0.0) if flights else ():
                self._land(flights, task)
            for listener in self._listeners:
                listener.on_tick(self._standing, running=len(flights), proposed=self._proposed(flights))

    def _fill(self, flights: dict[Task, Flight]) -> bool:
        """Start trials while there is room; False where it broke off, so that a known student lets others land."""
        while places(flights.values()) < self._in_flight and (proposal := self._next(flights)) is not None:
            if not self._launch(flights, proposal):
                return False
        return True

    def _proposed(self, flights: dict[Task, Flight]) -> int:
        return len(self._standing.finished) + places(flights.values()) + len(self._waiting)

    def _reason(self, flights: dict[Task, Flight]) -> str:
        if self._repeats >= MOST_REPEATS:
            return f"the last {MOST_REPEATS} proposals were students that are known; the space seems to hold no others"
        seconds = time.monotonic() - self._begun
        return self._stop.reason(self._standing, proposed=self._proposed(flights), seconds=seconds)

    def _next(self, flights: dict[Task, Flight]) -> Proposal | None:
        if self._waiting:
            return self._waiting.popleft()
        return None if self._reason(flights) else self._ledger.ask()

    def _launch(self, flights: dict[Task, Flight], proposal: Proposal) -> bool:
        """Start a trial; False where its result is known, and is written down."""
        trial = self._make_trial(proposal)
        trial = replace(trial, known_latency=dict(self._latencies.get(trial.spec.architecture_digest, {})))
        flight = Flight(proposal, trial, datetime.now(UTC))
        if trial.digest in self._results:
            # The same student, trained in the same way from the same seed: the answer is known to the last bit.
            self._repeats += trial.digest not in self._awaited
            self._finish(flight, replace(self._results[trial.digest], number=trial.number, seconds=0.0))
            return False
        if twin := next((f for f in flights.values() if f.trial.digest == trial.digest), None):
            twin.twins.append(proposal)
            return True
        self._repeats = 0
        self._submit(flights, flight)
        return True

    def _submit(self, flights: dict[Task, Flight], flight: Flight) -> None:
        rung = () if self._halving is None else (flight.underway, self._halving.until_epoch(flight.trial))
        task = self._executor.submit(
            self._function,
            flight.trial,
            self._setting,
            *rung,
            share=self._share,
            returns=2,
            seconds=flight.seconds_left(self._seconds),
            name=f"trial-{flight.trial.number:04d}",
        )
        flights[task] = flight

    def _land(self, flights: dict[Task, Flight], task: Task) -> None:
        flight = flights.pop(task)
        artefacts = Artefacts()
        try:
            result: TrialResult = self._executor.fetch(task)
            if fault := self._standing.fault(result):
                result = flight.failed(fault)
            elif result.outcome is not Outcome.PRUNED:
                # At once, since a machine that goes down later would take them along.
                artefacts = self._executor.fetch(task, part=1)
        except OverdueError as error:
            result = flight.failed(str(error))
        except LostWorkError as error:
            flight.losses += 1
            if flight.losses <= self._retries:
                tries = (flight.losses + 1, self._retries + 1)
                _logger.warning("trial %d: %s; it starts again, attempt %d of %d", flight.trial.number, error, *tries)
                flight.underway = None
                self._submit(flights, flight)
                return
            result = flight.failed(f"{error} (tried {flight.losses} times)")
        except Exception as error:
            if isinstance(error, WorkFailed) or disk_is_full(error):
                raise  # Every other trial would end so, too.
            result = flight.failed(f"{type(error).__name__}: {error}")
        if self._goes_on(flight, result):
            flight.underway = task.refs[1]  # It stays where it is, and goes from worker to worker.
            self._submit(flights, flight)
            return
        self._finish(flight, result, artefacts=artefacts if result.outcome is Outcome.TRAINED else None)
        self._waiting.extend(flight.twins)  # Launched, each finds the result; after a failure the first one tries anew.

    def _goes_on(self, flight: Flight, result: TrialResult) -> bool:
        """Tell whether a trial has come to a rung and is trained on; what is decided is written down."""
        halving = self._halving if result.outcome is Outcome.PRUNED else None
        return halving is not None and halving.goes_on(flight.trial, result)

    def _finish(self, flight: Flight, result: TrialResult, *, artefacts: Artefacts | None = None) -> None:
        trial, standing = flight.trial, self._standing
        # As it will be told, but for the times, which the study takes when it is.
        values, ended = flight.proposal.values, datetime.now(UTC)
        standing.add(FinishedTrial(trial=trial, result=result, values=values, started=flight.started, ended=ended))
        kept = standing.worth_keeping()
        if artefacts is not None and result.digest in kept:
            # Before the ledger: a process killed in between leaves a trial that runs again, never one without files.
            self._students.save(result.digest, artefacts)
        proxies = self._proxies(trial) if result.outcome is Outcome.TRAINED else {}
        finished = self._ledger.tell(
            trial, result, objectives=standing.objectives, limits=standing.limits, proxies=proxies
        )
        standing.finished[-1] = finished
        self._awaited -= {trial.digest}
        self._students.prune(kept | self._awaited)
        if self._is_known(result):
            self._results[result.digest] = result
        self._learn_latency(trial, result)
        for listener in self._listeners:
            listener.on_finished(finished, standing)

    def _is_known(self, result: TrialResult) -> bool:
        """Tell whether the same student would end so again; not where limits that refused it were loosened since."""
        if result.outcome is Outcome.INFEASIBLE:
            return still_refused(result, self._standing.limits)
        return result.outcome is not Outcome.FAILED

    def _learn_latency(self, trial: Trial, result: TrialResult) -> None:
        known = self._latencies.setdefault(trial.spec.architecture_digest, {})
        for candidate in result.candidates:
            known.setdefault(candidate.precision, candidate.latency)
