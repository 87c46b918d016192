"""The two ways in which a command ends badly; the command line turns them into exit codes."""

import errno


class UserError(ValueError):
    """What the user gave is wrong: exit code 2.

    Args:
        message: What was expected, what came, and what to write instead.
        place: Where it stands: ``config.yaml:12: teachers[1].covers``, a file, or a command-line option.
    """

    def __init__(self, message: str, *, place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place


class WorkFailed(RuntimeError):  # noqa: N818 - it is said to users as it reads: the work failed
    """The work itself could not be done, through no fault of the config: exit code 1."""


def disk_is_full(error: BaseException) -> bool:
    """Tell whether an error says that there is no room to write; that is neither the config's nor a trial's fault."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
