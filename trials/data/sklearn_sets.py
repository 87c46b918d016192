"""The data sets inside scikit-learn: real, small, and there without a download.

Shape letters: N = rows, H = height, W = width.
"""

import numpy as np
from numpy.typing import NDArray

from trials.data.raw import RawData

NAMES = ("breast_cancer", "digits", "iris", "wine")
STYLES = ("left", "upright", "right")
"""Ways in which a digit is written, by the side to which the strokes lean."""


def read_sklearn(*, name: str) -> RawData:
    """Give one of the data sets inside scikit-learn.

    The digits are scans of handwriting (1797, 1, 8, 8), float32 from 0 to 16 as they were counted, with an extra
    column ``style``: ``left``, ``upright`` or ``right``, see ``writing_styles``. It is computed from pixels and labels
    of all rows, to say what teachers cover; no student sees it. The other sets are vectors without columns.

    Args:
        name: ``digits``, ``breast_cancer``, ``wine`` or ``iris``.

    Raises:
        ValueError: The name is another one.
    """
    if name not in NAMES:
        raise ValueError(f"scikit-learn set {name!r} is not known; known are {', '.join(NAMES)}")
    from sklearn import datasets  # takes a second, and only this kind needs it

    bunch = getattr(datasets, f"load_{name}")()
    inputs = np.asarray(bunch.data, dtype=np.float32)
    columns: dict[str, NDArray[np.generic]] = {}
    if name == "digits":
        inputs = inputs.reshape(-1, 1, 8, 8)
        columns["style"] = writing_styles(inputs[:, 0], np.asarray(bunch.target, dtype=np.int64))
    return RawData(
        inputs=inputs,
        labels=np.asarray(bunch.target, dtype=np.int64),
        class_names=tuple(str(class_name) for class_name in bunch.target_names),
        columns=columns,
    )


def writing_styles(images_NHW: NDArray[np.float32], labels_N: NDArray[np.int64]) -> NDArray[np.str_]:
    """Sort handwriting into three styles, the three ways in which each class is commonly written.

    Within each class, k-means on the pixels finds three groups, and the groups are named by the mean slant of their
    images. A style thus holds every class, which thirds by slant do not: whole classes lean more than others. Names
    compare the styles of one class; they are not a bound on slant.

    Args:
        images_NHW: Ink, at least 0, x to the right and y down; at least three images a class.
        labels_N: Class of each image.

    Returns:
        ``left``, ``upright`` or ``right`` for each image (N,); the same in every call.
    """
    from sklearn.cluster import KMeans  # takes a second, and only this kind needs it
    from threadpoolctl import threadpool_limits

    slant_N = slant(images_NHW)
    pixels = images_NHW.reshape(len(images_NHW), -1).astype(np.float64)
    style_N = np.empty(len(labels_N), dtype=np.int64)
    for label in np.unique(labels_N):
        rows = np.flatnonzero(labels_N == label)
        # With 10 starts the best grouping still depends on the seed (one row in ten moves); with 30, one in a hundred.
        # On so few rows more threads only wait for each other: 4 s instead of 0.3 for the digits.
        with threadpool_limits(1):
            group = KMeans(len(STYLES), n_init=30, random_state=0).fit_predict(pixels[rows])
        lean = [-slant_N[rows[group == number]].mean() for number in range(len(STYLES))]
        style_N[rows] = np.argsort(np.argsort(lean))[group]
    return np.array(STYLES)[style_N]


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
