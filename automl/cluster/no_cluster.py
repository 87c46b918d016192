"""A cluster that cannot be started or joined, and how it is said."""

from automl.errors import WorkFailed


class NoClusterError(WorkFailed):
    """There is no cluster to work on; nothing has been done yet."""


def no_cluster(error: Exception, address: str | None, *, seconds: float) -> NoClusterError:
    """Say why there is none.

    Args:
        error: What Ray raised.
        address: Of the cluster; None where one was to start on this machine.
        seconds: Since Ray began.
    """
    # Ray raises a bare Exception where its own processes do not answer in time.
    if address is None and type(error) is Exception:
        return NoClusterError(
            f"Ray did not start on this machine within {seconds:.0f} s: {error} Most often the machine is busy; "
            "try again when it is less so"
        )
    return NoClusterError(f"cannot join the Ray cluster at {address or 'this machine'}: {error}")
