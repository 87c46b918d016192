from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachers import MISSING_LABEL
from trials.data import RawData, split


def make(labels, *, texts=False, **given_splits):
    labels = np.array(labels, dtype=np.int64)
    rows = np.arange(len(labels))
    return RawData(
        inputs=[str(row) for row in rows] if texts else rows[:, None].astype(np.float32),
        labels=labels,
        class_names=("a", "b", "c"),
        columns={"row": rows},
        given_splits={name: np.asarray(numbers, dtype=np.int64) for name, numbers in given_splits.items()},
    )


LABELS = [0] * 60 + [1] * 30 + [2] * 10
SHARES = {"validation": 0.2, "test": 0.1, "seed": 0}


def counts(dataset, name):
    return np.bincount(dataset.labels[dataset.splits[name]], minlength=3).tolist()


def origin(dataset, name):
    return dataset.columns["row"][dataset.splits[name]].tolist()


def test_cuts_every_class_by_its_share():
    dataset = split(make(LABELS), **SHARES)
    assert [counts(dataset, name) for name in ("train", "validation", "test")] == [[42, 21, 7], [12, 6, 2], [6, 3, 1]]
    assert dataset.labelled is None
    assert len(dataset) == 100


def test_small_and_large_shares_leave_each_class_in_each_split():
    dataset = split(make(LABELS), validation=0.95, test=0.01, seed=0)
    assert [counts(dataset, name) for name in ("train", "test")] == [[1, 1, 1], [1, 1, 1]]


def test_the_same_seed_gives_the_same_and_another_another():
    first, same, other = (split(make(LABELS), validation=0.2, test=0.1, seed=seed) for seed in (1, 1, 2))
    assert origin(first, "test") == origin(same, "test")
    assert origin(first, "test") != origin(other, "test")


def test_rows_keep_their_facts_when_numbered_anew():
    for texts in (False, True):
        dataset = split(make(LABELS, texts=texts), **SHARES, limit_rows={"train": 20})
        assert len(dataset) == 50
        rows = dataset.columns["row"]
        assert [float(value) for value in (dataset.inputs if texts else dataset.inputs[:, 0])] == rows.tolist()
        assert dataset.labels.tolist() == np.array(LABELS)[rows].tolist()


def test_limits_and_hidden_labels_move_no_row_between_splits():
    whole = split(make(LABELS), **SHARES)
    part = split(make(LABELS), **SHARES, limit_rows={"train": 20, "validation": 10}, labelled=0.5)
    assert origin(part, "test") == origin(whole, "test")
    for name in ("train", "validation"):
        assert set(origin(part, name)) < set(origin(whole, name))
    assert counts(part, "train") == [12, 6, 2]
    assert counts(part, "validation") == [6, 3, 1]


def test_a_limit_above_the_size_changes_nothing():
    assert counts(split(make(LABELS), **SHARES, limit_rows={"train": 1000}), "train") == [42, 21, 7]


def test_validation_is_cut_from_train_where_only_the_test_is_given():
    for splits in ({"train": range(10, 100), "test": range(10)}, {"test": range(10)}):
        dataset = split(make(LABELS, **splits), validation=0.2, test=0.5, seed=0)
        assert origin(dataset, "test") == list(range(10))
        assert [counts(dataset, name) for name in ("train", "validation")] == [[40, 24, 8], [10, 6, 2]]


def test_three_given_splits_stay_and_shares_are_not_used():
    splits = {"train": range(0, 100, 2), "validation": [1, 3], "test": [5, 95]}
    dataset = split(make(LABELS, **splits), validation=0.0, test=0.0, seed=0)
    assert {name: origin(dataset, name) for name in splits} == {name: list(rows) for name, rows in splits.items()}
    assert len(dataset) == 54


def test_rows_without_a_label_train_and_are_not_counted_in_shares():
    dataset = split(make([*LABELS, *[MISSING_LABEL] * 50]), **SHARES)
    assert len(dataset.splits["train"]) == 120
    assert [counts(dataset, name) for name in ("validation", "test")] == [[12, 6, 2], [6, 3, 1]]
    limited = split(make([*LABELS, *[MISSING_LABEL] * 50]), **SHARES, limit_rows={"train": 60})
    assert (limited.labels[limited.splits["train"]] == MISSING_LABEL).sum() == 25


def test_labelled_share_is_by_class_and_at_least_one_a_class():
    dataset = split(make(LABELS), **SHARES, labelled=0.1)
    assert np.bincount(dataset.labels[dataset.labelled]).tolist() == [4, 2, 1]
    assert set(np.flatnonzero(dataset.labelled)) < set(dataset.splits["train"].tolist())
    few = split(make(LABELS), **SHARES, labelled=0.001)
    assert np.bincount(few.labels[few.labelled]).tolist() == [1, 1, 1]


def test_labelled_count():
    assert split(make(LABELS), **SHARES, labelled=10).labelled.sum() == 10
    assert split(make(LABELS), **SHARES, labelled=70).labelled is None
    without = split(make([*LABELS, *[MISSING_LABEL] * 50]), **SHARES, labelled=10)
    assert (without.student_labels != MISSING_LABEL).sum() == 10


@pytest.mark.parametrize("none", [0, 0.0])
def test_of_no_labels_the_training_rows_keep_theirs_for_teachers_alone(none):
    dataset, whole = split(make(LABELS), **SHARES, labelled=none), split(make(LABELS), **SHARES)
    train = dataset.splits["train"]
    assert (dataset.student_labels[train] == MISSING_LABEL).all()
    assert (dataset.labels == whole.labels).all()
    assert all((rows == whole.splits[name]).all() for name, rows in dataset.splits.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": 0.0}, "must lie above 0 and add up to less than 1"),
        ({"test": float("nan")}, "must lie above 0"),
        ({"validation": 0.6, "test": 0.4}, "add up to less than 1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"labelled": -0.1}, "labelled must be a share from 0 to 1.0"),
        ({"labelled": -1}, "or a whole number of rows up to the 70"),
        ({"labelled": 1.5}, "got 1.5"),
        ({"labelled": 71}, "up to the 70 training rows"),
        ({"labelled": True}, "got True"),
        ({"labelled": 1}, "1 rows are too few, there are 3 classes.*as 1.0"),
        ({"limit_rows": {"val": 3}}, r"unknown splits val; the known ones are test, train, validation"),
        ({"limit_rows": {"test": 0}}, "limit_rows of test must be at least 1"),
        ({"limit_rows": {"test": 2}}, "limit_rows of test: 2 rows were asked for.*from 3 to 10"),
    ],
)
def test_numbers_out_of_range_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        split(make(LABELS), **(SHARES | changes))


def test_a_class_with_too_few_rows_is_named():
    with pytest.raises(ValueError, match=r"class 'c' has 2 labelled rows, but train and each of test, validation"):
        split(make([0] * 10 + [1] * 10 + [2] * 2), **SHARES)
    assert counts(split(make([0] * 10 + [1] * 10 + [2] * 3), **SHARES), "train")[2] == 1


def test_given_splits_that_cannot_do():
    with pytest.raises(
        ValueError, match="1 rows of the test split have no label, and only training rows can do without"
    ):
        split(make([*LABELS, MISSING_LABEL], test=[0, 100]), **SHARES)
    with pytest.raises(ValueError, match=r"no row with a label is left to cut validation from"):
        split(make([0, 1, 2, *[MISSING_LABEL] * 5], test=[0, 1, 2]), **SHARES)
    with pytest.raises(ValueError, match="no row is left to train on"):
        split(make(LABELS, validation=range(50), test=range(50, 100)), **SHARES)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(4, 60), min_size=3, max_size=3),
    validation=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
    labelled=st.floats(0.01, 1.0),
    seed=st.integers(0, 99),
)
def test_every_class_is_in_every_split_near_its_share(sizes, validation, test, labelled, seed):
    labels = np.repeat(np.arange(3), sizes)
    dataset = split(make(labels), validation=validation, test=test, seed=seed, labelled=labelled)
    assert sum(len(rows) for rows in dataset.splits.values()) == len(labels)
    for name, share in (("validation", validation), ("test", test)):
        assert abs(len(dataset.splits[name]) - share * len(labels)) <= 3
        for size, count in zip(sizes, counts(dataset, name), strict=True):
            assert count >= 1
            assert abs(count - share * size) < 3
    assert min(counts(dataset, "train")) >= 1
    assert set(dataset.student_labels[dataset.splits["train"]]) >= {0, 1, 2}


@pytest.mark.parametrize("limit_rows", [None, {"train": 9}])
def test_names_of_features_stay(limit_rows):
    raw = replace(make(LABELS), feature_names=("x",))
    assert split(raw, **SHARES, limit_rows=limit_rows).feature_names == ("x",)
