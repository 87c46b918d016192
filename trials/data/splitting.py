"""From rows to training, validation and test.

Shape letters: N = rows, S = strata (classes, and rows without a label as one more).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from teachers import MISSING_LABEL
from trials.data.dataset import SPLITS, Dataset
from trials.data.raw import RawData
from trials.data.settings import SettingError

Rows = NDArray[np.int64]


def split(
    raw: RawData,
    *,
    validation: float,
    test: float,
    seed: int,
    limit_rows: Mapping[str, int] | None = None,
    labelled: float = 1.0,
) -> Dataset:
    """Split rows by class, in the same way for the same arguments.

    A split that came with the data stays as it is. The others are cut from its training rows, or from all rows that
    are in no split. Rows without a label train; they can neither choose nor report.

    Args:
        raw: The rows. What ends in no split is left out of the result, and rows are numbered anew.
        validation: Share of the labelled rows to cut off for validation, above 0, rounded so that each class is in
            each split; not used where the data brings the split.
        test: The same for the test.
        seed: At least 0. Each choice has its own stream, so that ``labelled`` and ``limit_rows`` move no row from
            split to split.
        limit_rows: Rows to keep at most, by split, with the shares of the classes kept.
        labelled: Share of the labelled training rows whose label students may see, up to 1.0; a whole number (``int``)
            is a count of rows. At least one a class, unless it is 0: then only teachers mark the rows.

    Raises:
        ValueError: A number is out of range, a split or a class has too few rows, or a row that must have a label
            has none.
    """
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    strata_N = np.where(raw.labels == MISSING_LABEL, len(raw.class_names), raw.labels)
    names_S = [*(f"class {name!r}" for name in raw.class_names), "the rows without a label"]
    splits = _cut(raw, {"test": test, "validation": validation}, strata_N, names_S, seed)
    splits = _limit(splits, limit_rows or {}, strata_N, names_S, seed)
    for name in ("validation", "test"):
        if missing := int(np.sum(raw.labels[splits[name]] == MISSING_LABEL)):
            raise ValueError(
                f"{missing} rows of the {name} split have no label, and only training rows can do without; "
                "leave them out, or cut the split from rows that have one"
            )
    visible = _visible(splits["train"], labelled, strata_N, names_S, seed)
    kept = np.sort(np.concatenate([splits[name] for name in SPLITS]))
    everything = len(kept) == len(raw.labels)
    return Dataset(
        inputs=raw.inputs if everything else _rows_of(raw.inputs, kept),
        labels=raw.labels if everything else raw.labels[kept],
        class_names=raw.class_names,
        splits={name: np.searchsorted(kept, splits[name]) for name in SPLITS},
        labelled=None if visible is None else np.isin(kept, visible),
        columns={name: column if everything else column[kept] for name, column in raw.columns.items()},
        feature_names=raw.feature_names,
    )


def _cut(raw: RawData, shares: Mapping[str, float], strata_N: Rows, names_S: list[str], seed: int) -> dict[str, Rows]:
    """Complete the given splits; ``shares`` are cut in their order."""
    splits = {name: np.sort(rows) for name, rows in raw.given_splits.items()}
    if "train" in splits:
        rest = splits["train"]
    else:
        rest = np.setdiff1d(np.arange(len(raw.labels)), np.concatenate([*splits.values(), np.empty(0, dtype=np.int64)]))
    shares = {name: share for name, share in shares.items() if name not in splits}
    if not all(0 < share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
        raise SettingError(
            f"shares of the splits to cut must lie above 0 and add up to less than 1, got {dict(shares)}", "split"
        )
    known = rest[raw.labels[rest] != MISSING_LABEL]
    num_known = len(known)
    if shares and not num_known:
        raise ValueError(f"no row with a label is left to cut {', '.join(sorted(shares))} from")
    sizes_S = np.bincount(strata_N[known], minlength=len(names_S))
    few = [f"{names_S[s]} has {sizes_S[s]}" for s in np.flatnonzero((sizes_S > 0) & (sizes_S <= len(shares)))]
    if few:
        raise ValueError(
            f"{', '.join(few[:10])} labelled rows, but train and each of {', '.join(sorted(shares))} need at least "
            "one: bring more rows, or leave the class out"
        )
    for position, (name, share) in enumerate(shares.items()):
        rng = np.random.default_rng([seed, SPLITS.index(name)])
        reserve = len(shares) - position  # rows of each class for the splits that come after, train the last
        sizes_S = np.bincount(strata_N[known], minlength=len(names_S))
        total = int(np.clip(round(share * num_known), np.sum(sizes_S > 0), np.maximum(sizes_S - reserve, 0).sum()))
        splits[name] = _stratified(known, strata_N, total, rng, reserve=reserve, what=f"the {name} split")
        known = np.setdiff1d(known, splits[name])
        rest = np.setdiff1d(rest, splits[name])
    if not len(rest):
        raise ValueError("no row is left to train on: the data's own splits hold them all, give it a train split")
    return {**splits, "train": rest}


def _limit(
    splits: Mapping[str, Rows], limits: Mapping[str, int], strata_N: Rows, names_S: list[str], seed: int
) -> dict[str, Rows]:
    if unknown := sorted(set(limits) - set(SPLITS)):
        raise ValueError(
            f"limit_rows names unknown splits {', '.join(unknown)}; the known ones are {', '.join(sorted(SPLITS))}"
        )
    limited = dict(splits)
    for name, limit in limits.items():
        if limit < 1:
            raise SettingError(f"limit_rows of {name} must be at least 1, got {limit}", "limit_rows", name)
        if limit < len(splits[name]):
            rng = np.random.default_rng([seed, 3 + SPLITS.index(name)])
            limited[name] = _stratified(splits[name], strata_N, limit, rng, what=f"limit_rows of {name}")
    return limited


def _visible(train: Rows, labelled: float, strata_N: Rows, names_S: list[str], seed: int) -> Rows | None:
    """Choose the training rows whose label students may see; None means all."""
    known = train[strata_N[train] < len(names_S) - 1]
    is_count = isinstance(labelled, int)
    if isinstance(labelled, bool) or not (0 <= labelled <= len(known) if is_count else 0 <= labelled <= 1):
        raise SettingError(
            f"labelled must be a share from 0 to 1.0, or a whole number of rows up to the {len(known)} training rows "
            f"that have a label, got {labelled}",
            "labelled",
        )
    if labelled == 0:
        return known[:0]
    total = int(labelled) if is_count else round(labelled * len(known))
    if total == len(known):
        return None
    rng = np.random.default_rng([seed, 6])
    num_classes = len(np.unique(strata_N[known]))
    if is_count and total < num_classes:
        raise SettingError(
            f"labelled: {labelled} rows are too few, there are {num_classes} classes and each needs one; "
            "a share is written with a point, as 1.0",
            "labelled",
        )
    return _stratified(known, strata_N, max(total, num_classes), rng, what="labelled")


def _stratified(
    rows: Rows, strata_N: Rows, total: int, rng: np.random.Generator, *, reserve: int = 0, what: str
) -> Rows:
    """Draw ``total`` of the rows, each stratum by its share and at least once, and leave ``reserve`` of each."""
    shuffled = rng.permutation(rows)
    grouped = shuffled[np.argsort(strata_N[shuffled], kind="stable")]
    sizes_S = np.bincount(strata_N[rows])
    counts_S = _apportion(sizes_S, total, reserve, what)
    starts_S = np.cumsum(sizes_S) - sizes_S
    place = np.arange(len(grouped)) - np.repeat(starts_S, sizes_S)
    return np.sort(grouped[place < np.repeat(counts_S, sizes_S)])


def _apportion(sizes_S: Rows, total: int, reserve: int, what: str) -> Rows:
    """Share ``total`` out by size: whole quotas first, then the largest remainders."""
    least_S = np.minimum(sizes_S, 1)
    most_S = np.maximum(sizes_S - reserve, 0)
    if not least_S.sum() <= total <= most_S.sum():
        raise ValueError(
            f"{what}: {total} rows were asked for; one of each class and enough for the rest is "
            f"from {least_S.sum()} to {most_S.sum()}"
        )
    quota_S: NDArray[np.float64] = sizes_S * (total / sizes_S.sum())
    counts_S: Rows = np.clip(np.floor(quota_S).astype(np.int64), least_S, most_S)
    while (difference := total - int(counts_S.sum())) != 0:
        step = 1 if difference > 0 else -1
        open_S = counts_S < most_S if step > 0 else counts_S > least_S
        counts_S[np.argmax(np.where(open_S, step * (quota_S - counts_S), -np.inf))] += step
    return counts_S


def _rows_of(inputs: NDArray[np.generic] | list[str], rows: Rows) -> NDArray[np.generic] | list[str]:
    return [inputs[row] for row in rows] if isinstance(inputs, list) else inputs[rows]
