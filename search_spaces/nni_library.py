"""NNI, imported without what it does to a program that imports it."""

import fcntl
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_FRAMEWORK = "NNI_FRAMEWORK"
# Else `nni.nas` imports Lightning. Here, since a module of the user's may import NNI first; what is set already stays.
os.environ.setdefault(_FRAMEWORK, "none")


def import_nni() -> Any:
    """Import NNI.

    It stands for itself then: it looks for no training framework, puts no handler on its logger, and tells warnings
    only. A module of a user's that imports it later finds it so.
    """
    import nni

    nni.set_default_framework(os.environ[_FRAMEWORK])
    nni.silence_stdout()
    logging.getLogger("nni").setLevel(logging.WARNING)
    return nni


def import_layers() -> Any:
    """Import what NNI's model spaces are made of, ``nni.nas.nn.pytorch``."""
    nni = import_nni()
    with warnings.catch_warnings(), _alone(nni.__file__):
        # It wraps each class of torch.nn in one of its own, and finds two that it did not expect in this PyTorch.
        warnings.filterwarnings("ignore", message=r".* is found to be not a nn\.Module", category=RuntimeWarning)
        warnings.filterwarnings("ignore", message=r"Cannot write to .*_layers\.py")
        import nni.nas.nn.pytorch as layers
    return layers


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Let one process at a time in: the first import writes a file of wrapped classes beside NNI's sources.

    Workers that start at once would read each other's half of it.
    """
    with Path(path).open("rb") as file:
        with suppress(OSError):  # Not every network's file system can lock what is open to be read.
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
