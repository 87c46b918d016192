"""An estimator's classes against those of the data."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from teachers.loading.estimator import EstimatorModel
from teachers.preprocessing import Preprocessing


def columns(classes, class_names, labels=None):
    rows = np.arange(len(classes), dtype=np.float64)[:, None]
    estimator = DecisionTreeClassifier().fit(rows, np.array(classes))
    return EstimatorModel(estimator, preprocessing=Preprocessing(), class_names=class_names, labels=labels).columns


@pytest.mark.parametrize(
    ("classes", "class_names", "message"),
    [
        (
            range(6),
            ("0", "1", "2", "3"),
            r"knows classes 4, 5, which the data does not have; the data has 0, 1, 2, 3\.",
        ),
        (["ant", "bee", "cow"], ("ant", "bee"), r"knows classes cow, which the data does not have; the data has ant"),
        (range(3), ("ant", "bee"), r"knows classes 2, which .*list the classes that it covers \(covers: \{labels: "),
    ],
)
def test_classes_that_the_data_does_not_have_are_refused(classes, class_names, message):
    with pytest.raises(ValueError, match=message):
        columns(classes, class_names)


@pytest.mark.parametrize(
    ("classes", "class_names", "labels", "expected"),
    [
        (range(6), ("0", "1", "2", "3"), [0, 1, 2, 3], [0, 1, 2, 3]),
        (["cow", "ant", "bee"], ("bee", "ant"), [0, 1], [1, 0]),
        (["bee", "cow"], ("ant", "bee"), [1], [0]),
        (range(5), ("ant", "bee", "cat"), [2, 0], [2, 0]),
        (range(3), ("1", "2", "3"), [0, 1], [0, 1]),  # All of them are numbers of classes, and not all are names.
    ],
)
def test_a_teacher_whose_classes_are_listed_may_know_others(classes, class_names, labels, expected):
    assert columns(classes, class_names, labels) == expected


def test_names_that_may_be_numbers_are_not_guessed():
    with pytest.raises(
        ValueError, match=r"1, 2, 3, 4, 5, which may be names or numbers .* 1, 2, 3, 4; fit it on the n"
    ):
        columns(range(1, 6), ("1", "2", "3", "4"), [1, 2])


def test_a_class_that_it_lacks_is_named_before_those_that_the_data_lacks():
    with pytest.raises(ValueError, match=r"does not know class '2', it knows 0, 1, 7; set the labels"):
        columns([0, 1, 7], ("0", "1", "2"))
    with pytest.raises(ValueError, match=r"does not know class 'ant', it knows x, y"):
        columns(["x", "y"], ("ant", "bee"), [0])
