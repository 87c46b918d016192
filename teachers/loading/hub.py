"""Where models of transformers come from: a folder, a package that brings one, or the hub; safetensors alone."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

PACKAGE = "package:"
"""Before the name of an installed package, and a folder in it: ``package:name/folder``."""

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.msgpack", "*.h5")


def library() -> Any:  # it ships no complete types
    """Import transformers.

    Raises:
        ValueError: It is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise ValueError(
            f"this kind of teacher needs transformers ({error}); pip install 'automl-distill[transformers]'"
        ) from error
    return transformers


def source_of(model: str) -> str:
    """Say where a model is read from.

    Args:
        model: A folder, a name on the hub, or ``package:name/folder`` of an installed package, of which nothing is run.

    Returns:
        The folder, or the name on the hub.

    Raises:
        ValueError: The package is not installed, or a folder holds no weights that can be read without running code.
    """
    if model.startswith(PACKAGE):
        model = str(_in_package(model.removeprefix(PACKAGE)))
    folder = Path(model)
    if not folder.is_dir():
        if folder.is_absolute() or model.startswith(("./", "../", "~")) or model.count("/") > 1:
            raise ValueError(f"no folder {model}; give one that save_pretrained wrote, or a name on the hub")
        return model
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} has no config.json; give a folder that save_pretrained wrote")
    if not list(folder.glob("*.safetensors")):
        pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
        found = f"only {', '.join(pickles)}" if pickles else "no weights"
        raise ValueError(
            f"{folder} has {found}; weights are read from safetensors alone, since a pickle can run code: where you "
            "trust it, load the model in transformers and write it with save_pretrained, which makes safetensors"
        )
    return model


def _in_package(name: str) -> Path:
    package, _, folder = name.partition("/")
    if not package.isidentifier():
        raise ValueError(f"expected package:name/folder with the name of one package, got {PACKAGE + name!r}")
    found = importlib.util.find_spec(package)  # Finds a package without running it.
    if found is None or not found.submodule_search_locations:
        raise ValueError(
            f"package {package!r} is not installed here; install it, or give a folder or a name on the hub"
        )
    place = Path(next(iter(found.submodule_search_locations))) / folder
    if not place.is_dir():
        inner = sorted(path.name for path in place.parent.iterdir() if path.is_dir() and path.name[0] not in "_.")
        raise ValueError(f"package {package!r} has no folder {folder!r}; beside it are {', '.join(inner) or 'none'}")
    return place


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Keep back bars and reports, and turn what goes wrong on the way from the hub into one message.

    Args:
        source: What ``source_of`` gave.

    Raises:
        ValueError: What is to be read is not there, cannot be reached or cannot be read.
    """
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(_told(source, error)) from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _told(source: str, error: Exception) -> str:
    reason = " ".join(str(error).split())
    if Path(source).is_dir():
        return f"{source} cannot be read: {reason}"
    if any(sign in reason for sign in ("connect", "offline", "couldn't find them in the cached files", "resolve")):
        return (
            f"{source!r} is no folder here, and the hub cannot be reached to fetch it; fetch it once where it can "
            f"(hf download {source}), or give the path of a folder"
        )
    return f"{source!r} is no folder here, and cannot be had from the hub: {reason}"


def load_module(auto: Any, source: str, *, revision: str | None, **more: object) -> tuple[nn.Module, list[str]]:
    """Load a network in float32, no code of the repository is run.

    Args:
        auto: One of the library's ``AutoModel`` classes.
        source: What ``source_of`` gave.
        revision: Of a repository on the hub: a commit, tag or branch.
        more: Further arguments of ``from_pretrained``.

    Returns:
        The network, and the names of those of its parameters that the files do not hold.

    Raises:
        ValueError: It cannot be had, or is of another kind than asked for.
    """
    import torch

    arguments = {
        "revision": revision,
        "use_safetensors": True,
        "trust_remote_code": False,
        "dtype": torch.float32,
        "output_loading_info": True,
        **more,
    }
    with reading(source):
        try:
            # The kernel whose attention can be seen; a few old models have none.
            module, info = auto.from_pretrained(source, attn_implementation="sdpa", **arguments)
        except ValueError as error:
            if "scaled_dot_product_attention" not in str(error) and "sdpa" not in str(error):
                raise
            module, info = auto.from_pretrained(source, attn_implementation="eager", **arguments)
    return module, sorted(info["missing_keys"])
