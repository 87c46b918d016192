"""Data of a search: one file a kind, all giving ``RawData``, which ``split`` turns into a ``Dataset``."""

from collections.abc import Callable

from trials.data.dataset import SPLITS, Dataset
from trials.data.factory import read_factory
from trials.data.huggingface import read_huggingface
from trials.data.idx import read_idx
from trials.data.image_folder import read_image_folder
from trials.data.npz import read_npz
from trials.data.raw import RawData
from trials.data.sklearn_sets import read_sklearn
from trials.data.splitting import split
from trials.data.table import read_table

READERS: dict[str, Callable[..., RawData]] = {
    "sklearn": read_sklearn,
    "npz": read_npz,
    "image_folder": read_image_folder,
    "table": read_table,
    "idx": read_idx,
    "huggingface": read_huggingface,
    "factory": read_factory,
}
"""Function by ``data.kind``; its keyword arguments are the other fields of ``data``."""

__all__ = ["READERS", "SPLITS", "Dataset", "RawData", "split"]
