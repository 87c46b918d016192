"""Doing something again while a server is away."""

import logging
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from automl.errors import WorkFailed

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds to wait before each further try."""

P = ParamSpec("P")
T = TypeVar("T")
_logger = logging.getLogger("automl.study.patience")


class Patience:
    """Calls a function until it works, some seven times within a minute.

    Args:
        what: That may be away, as messages name it.
        errors: What says that it is.
    """

    def __init__(self, what: str, errors: tuple[type[Exception], ...]) -> None:
        self._what = what
        self._errors = errors

    def __call__(self, call: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T:
        """Call it, and give what it gives.

        Args:
            call: May be called twice though the first call did its work, where the answer was lost.
            args: Of the call.
            options: Of the call.

        Raises:
            WorkFailed: The server stays away. The error's own text is not told, since it can hold a password.
        """
        pauses = iter(PAUSES)
        while True:
            try:
                return call(*args, **options)
            except self._errors as error:
                kind = type(error).__name__
                if (pause := next(pauses, None)) is None:
                    raise WorkFailed(
                        f"{self._what} failed for {sum(PAUSES):g} s ({kind}); no trial that ended is lost: see that "
                        "the server runs and has room, then go on with --resume"
                    ) from None
                _logger.warning("%s fails (%s); next try in %g s", self._what, kind, pause)
                time.sleep(pause)
