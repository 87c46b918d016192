"""Search methods of other packages, which nothing but the comparison needs."""

from collections.abc import Callable
from importlib import import_module

from _searchers import Searcher

from automl.samplers import SearchContext

PEERS = {
    "pymoo_nsga2": ("_pymoo", "nsga2", "pymoo"),
    "pymoo_sms_emoa": ("_pymoo", "sms_emoa", "pymoo"),
    "syne_tune_morea": ("_syne_tune", "morea", "syne-tune==0.16"),
    "syne_tune_morea_mended": ("_syne_tune", "morea_mended", "syne-tune==0.16"),
}
"""Module, its function, and what brings the package, by name."""


def make_peer(name: str, context: SearchContext, *, seed: int, in_flight: int) -> Searcher:
    """Make a peer.

    Args:
        name: In ``PEERS``.
        context: Of the search.
        seed: Of the search.
        in_flight: Evaluations at a time.

    Raises:
        SystemExit: Its package is not installed; the message says what to type.
    """
    module, function, package = PEERS[name]
    try:
        make: Callable[..., Searcher] = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        raise SystemExit(f"{name} needs {error.name}, which is not installed: pip install {package}") from error
    return make(context, seed=seed, in_flight=in_flight)
