"""Ctrl-C: neither lost, nor breaking in where it does damage."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_logger = logging.getLogger("automl.interrupts")


@contextmanager
def held_back(until: str) -> Iterator[None]:
    """Keep Ctrl-C until the block ends; a second one breaks in at once.

    For code that cannot be stopped halfway, such as a library's start of processes and threads.

    Args:
        until: What is waited for, as whoever typed Ctrl-C is told.

    Raises:
        KeyboardInterrupt: As the block ends, in whatever way, if Ctrl-C came within it.
    """
    handler = signal.getsignal(signal.SIGINT)
    # Python lets the main thread alone set handlers, and calls them there; ignored signals stay ignored.
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[int] = []

    def keep(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            handler(number, frame)
        _logger.warning("stopping as soon as %s; Ctrl-C again breaks in", until)

    signal.signal(signal.SIGINT, keep)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(signal.SIGINT, None)


@contextmanager
def ending_at_once(end: Callable[[], int]) -> Iterator[None]:
    """Let Ctrl-C end the process on the spot while the block, which leaves nothing to tidy up, imports libraries.

    An exception would not do: an import catches it and goes on without the library, or a library runs code by way of
    Python's C functions; those take note of Ctrl-C, and Python then exits by the signal though it was dealt with.

    Args:
        end: Says that it ends, and gives the exit code.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        code = end()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
