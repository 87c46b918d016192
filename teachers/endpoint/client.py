"""Requests to an OpenAI-compatible server: a few at a time, at its pace, again where it stumbles, never twice."""

import json
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

from teachers.digests import record_digest
from teachers.endpoint.kept import KeptAnswers
from teachers.endpoint.sending import PassingError, Sender
from teachers.endpoint.server import Server

_LONGEST_PAUSE_SECONDS = 60.0

Payload = Mapping[str, object]
"""The body of a request, as plain data."""


class EndpointError(RuntimeError):
    """A server did not answer although it was asked again and again, or the budget is used up."""


class _StoppedError(EndpointError):
    """Another request failed first, and says why."""


class Client:
    """Asks a server, unless the same was asked before."""

    def __init__(self, server: Server, kept: KeptAnswers) -> None:
        """Take both; nothing is sent yet.

        Args:
            server: Whom to ask.
            kept: Where answers are looked up and written down.
        """
        self._server = server
        self._kept = kept
        self._sender = Sender(server)
        self._sent = 0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without locks and connections; the budget counts anew in each process."""
        return Client, (self._server, self._kept)

    def known(self, path: str, payloads: Sequence[Payload]) -> int:
        """Count the requests whose answers are there already."""
        return len(self._kept.find({self._key(path, payload) for payload in payloads}))

    def ask(self, path: str, payloads: Sequence[Payload]) -> list[Any]:
        """Get the answers to some requests.

        Args:
            path: Below the server's URL, such as ``chat/completions``.
            payloads: Bodies of the requests; the server's model is put into each.

        Returns:
            The ``choices`` of each answer, in order.

        Raises:
            ValueError: The server refuses the requests, so that asking again is of no use.
            EndpointError: It does not answer, or the budget is used up; what was answered is kept.
        """
        keys = [self._key(path, payload) for payload in payloads]
        found = self._kept.find(set(keys))
        waiting = {key: payload for key, payload in zip(keys, payloads, strict=True) if key not in found}
        stop = threading.Event()
        with ThreadPoolExecutor(max_workers=self._server.concurrency) as pool:
            futures = {
                key: pool.submit(self._answer_or_stop, path, payload, key=key, stop=stop)
                for key, payload in waiting.items()
            }
            try:
                wait(futures.values(), return_when=FIRST_EXCEPTION)
            finally:  # After Ctrl-C, too, what waits does not begin, and what pauses ends.
                stop.set()
                for future in futures.values():
                    future.cancel()
        errors = [error for future in futures.values() if not future.cancelled() and (error := future.exception())]
        for error in sorted(errors, key=lambda each: isinstance(each, _StoppedError)):
            raise error
        found |= {key: future.result() for key, future in futures.items()}
        return [found[key] for key in keys]

    def _key(self, path: str, payload: Payload) -> str:
        return record_digest(["endpoint", self._server.address(path), self._server.model, dict(payload)])

    def _answer_or_stop(self, path: str, payload: Payload, *, key: str, stop: threading.Event) -> object:
        try:
            return self._answer(path, payload, key=key, stop=stop)
        except BaseException:
            stop.set()  # Here, so that no other request begins before the failure is noticed.
            raise

    def _answer(self, path: str, payload: Payload, *, key: str, stop: threading.Event) -> object:
        body = json.dumps({"model": self._server.model, **payload}).encode()
        failure = ""
        for attempt in range(self._server.retries + 1):
            self._take_turn(stop)
            try:
                choices = self._sender.send(path, body)
            except PassingError as error:
                failure = str(error)
                if attempt < self._server.retries:
                    stop.wait(_pause(attempt, key) if error.wait_seconds is None else error.wait_seconds)
                continue
            self._kept.keep(key, choices)
            return choices
        tries = self._server.retries + 1
        raise EndpointError(
            f"{self._server.address(path)} failed {tries} time{'s' * (tries > 1)}, last: {failure}; what was answered "
            "before is kept, and asking again asks for the rest alone"
        )

    def _take_turn(self, stop: threading.Event) -> None:
        """Wait until the server may be asked, and count it."""
        server = self._server
        if server.requests_per_minute is not None:
            stop.wait(self._kept.next_slot(server.url, seconds=60 / server.requests_per_minute))
        if stop.is_set():
            raise _StoppedError("stopped, since another request failed")
        with self._lock:
            if self._sent == server.max_requests:
                raise EndpointError(
                    f"the budget of {self._sent} requests to {server.url} is used up; what was answered is kept: raise "
                    "max_requests, and asking again asks for the rest alone"
                )
            self._sent += 1


def _pause(attempt: int, key: str) -> float:
    """Say how many seconds to wait after a failure: twice as long each time, give or take a half."""
    jitter = random.Random(f"{key} {attempt}").uniform(0.5, 1.5)  # noqa: S311 - spreads requests, guards nothing
    return min(_LONGEST_PAUSE_SECONDS, 0.5 * 2.0**attempt * jitter)
