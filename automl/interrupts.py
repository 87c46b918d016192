"""Ctrl-C: neither lost, nor breaking in where it does damage."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_back() -> Iterator[None]:
    """Keep Ctrl-C until the block ends; a second one breaks in at once.

    For code that cannot be stopped halfway, such as a library's start of processes and threads.

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

    signal.signal(signal.SIGINT, keep)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(signal.SIGINT, None)
