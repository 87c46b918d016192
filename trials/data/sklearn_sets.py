"""The data sets inside scikit-learn: real, small, and there without a download.

Shape letters: N = rows, H = height, W = width.
"""

import numpy as np
from numpy.typing import NDArray

from trials.data.raw import RawData

NAMES = ("breast_cancer", "digits", "iris", "wine")
SLANTS = ("right", "upright", "left")
"""From the lowest ratio of moments to the highest."""


def read_sklearn(*, name: str) -> RawData:
    """Give one of the data sets inside scikit-learn.

    The digits are scans of handwriting (1797, 1, 8, 8), float32 from 0 to 16 as they were counted, with a column
    ``slant``: ``left``, ``upright`` or ``right``, a third of the rows each. The others are vectors.

    Args:
        name: ``digits``, ``breast_cancer``, ``wine`` or ``iris``.

    Raises:
        ValueError: The name is another one.
    """
    if name not in NAMES:
        raise ValueError(f"scikit-learn set {name!r} is not known; known are {list(NAMES)}")
    from sklearn import datasets  # takes a second, and only this kind needs it

    bunch = getattr(datasets, f"load_{name}")()
    inputs = np.asarray(bunch.data, dtype=np.float32)
    columns: dict[str, NDArray[np.generic]] = {}
    if name == "digits":
        inputs = inputs.reshape(-1, 1, 8, 8)
        columns["slant"] = slant_thirds(inputs[:, 0])
    return RawData(
        inputs=inputs,
        labels=np.asarray(bunch.target, dtype=np.int64),
        class_names=tuple(str(class_name) for class_name in bunch.target_names),
        columns=columns,
    )


def slant_thirds(images_NHW: NDArray[np.float32]) -> NDArray[np.str_]:
    """Sort handwriting into three styles of equal size by the slant of its strokes.

    Args:
        images_NHW: Ink, at least 0, x to the right and y down.

    Returns:
        ``left``, ``upright`` or ``right`` for each image (N,); equal slants go by row number.
    """
    order_N = np.argsort(slant(images_NHW), kind="stable")
    third_N = np.empty(len(order_N), dtype=np.int64)
    third_N[order_N] = np.arange(len(order_N)) * 3 // len(order_N)
    return np.array(SLANTS)[third_N]


def slant(images_NHW: NDArray[np.float32]) -> NDArray[np.float64]:
    r"""Measure slant as mu11 / mu02, the central moments of the ink: how far x moves for one step of y.

    y runs down. Strokes that lean to the right, as ``/``, move to the left on the way down: below 0. Strokes that
    lean to the left, as ``\``, are above 0.

    Args:
        images_NHW: Ink, at least 0.

    Returns:
        Slant of each image (N,); 0 where the ink has no height.
    """
    ink_NHW = images_NHW.astype(np.float64)
    mass_N = np.maximum(ink_NHW.sum(axis=(1, 2)), np.finfo(np.float64).tiny)
    y_H = np.arange(ink_NHW.shape[1])
    x_W = np.arange(ink_NHW.shape[2])
    dy_NH = y_H - ((ink_NHW.sum(axis=2) @ y_H) / mass_N)[:, None]
    dx_NW = x_W - ((ink_NHW.sum(axis=1) @ x_W) / mass_N)[:, None]
    mu11_N = np.einsum("nhw,nh,nw->n", ink_NHW, dy_NH, dx_NW)
    mu02_N = np.einsum("nhw,nh->n", ink_NHW, dy_NH**2)
    slant_N: NDArray[np.float64] = np.divide(mu11_N, mu02_N, out=np.zeros_like(mu11_N), where=mu02_N > 0)
    return slant_N
