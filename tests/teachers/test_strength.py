import math

import numpy as np
import pytest

from teachers import MISSING_LABEL, Coverage, teacher_strength

NAMES = ("a", "b", "c")
LABELS = np.array([0, 0, 1, 1, 2, 2, MISSING_LABEL])
# Right on rows 0, 2, 3 and 4; row 1 looks like class 2, row 5 like class 0.
LOGITS = np.array([[3, 0, 1], [1, 0, 3], [0, 3, 1], [0, 3, 1], [0, 1, 3], [3, 0, 1], [0, 0, 0]], dtype=np.float32)
STYLE = np.array(["x", "x", "x", "y", "y", "y", "y"])


def strength(coverage, logits=LOGITS):
    return teacher_strength(logits, LABELS, coverage=coverage, class_names=NAMES, columns={"style": STYLE})


def test_a_generalist_is_at_home_everywhere():
    found = strength(Coverage())
    assert found.home == pytest.approx(4 / 6)
    assert math.isnan(found.abroad)
    assert (found.home_rows, found.abroad_rows) == (6, 0)
    assert found.by_class == {"a": 0.5, "b": 1.0, "c": 0.5}
    assert found.by_home == {}


def test_home_of_rows_is_told_by_the_column():
    found = strength(Coverage(column="style", values=("y",)))
    assert (found.home, found.abroad) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (found.home_rows, found.abroad_rows) == (3, 3)


def test_a_teacher_is_judged_at_the_home_of_each():
    homes = {
        "itself": Coverage(labels=(0, 1)),
        "everybody": Coverage(),
        "y": Coverage(column="style", values=("y",)),
        "both": Coverage(labels=(0,), column="style", values=("x",)),
        "nowhere": Coverage(labels=(2,), column="style", values=("x",)),
    }
    found = teacher_strength(
        LOGITS, LABELS, coverage=homes["itself"], class_names=NAMES, columns={"style": STYLE}, homes=homes
    )
    assert math.isnan(found.by_home["nowhere"])
    # Rows 0 to 3 are right among labels 0 and 1, of the others row 4 is.
    assert {name: value for name, value in found.by_home.items() if name != "nowhere"} == {
        "itself": found.home,
        "everybody": pytest.approx(5 / 6),
        "y": pytest.approx(2 / 3),
        "both": 1.0,
    }


def test_labels_at_home_are_judged_among_themselves_and_abroad_among_all():
    found = strength(Coverage(labels=(0, 1)))
    assert found.home == 1.0  # Row 1 no longer loses to class 2.
    assert found.abroad == 0.5
    assert (found.home_rows, found.abroad_rows) == (4, 2)


def test_narrow_logits_are_in_the_order_of_the_labels():
    found = strength(Coverage(labels=(1, 0)), LOGITS[:, [1, 0]])
    assert (found.home, found.abroad) == (1.0, 0.0)
    assert found.by_class == {"a": 1.0, "b": 1.0, "c": 0.0}


def test_negative_logits_and_a_class_without_rows():
    found = teacher_strength(
        -np.ones((1, 2), np.float32) - np.eye(2, dtype=np.float32)[:1],
        np.array([1]),
        coverage=Coverage(labels=(0, 1)),
        class_names=NAMES,
        columns={},
    )
    assert found.home == 1.0
    assert math.isnan(found.by_class["c"])


def test_a_wrong_width_is_refused():
    with pytest.raises(ValueError, match=r"logits have 4 columns, expected 3 or 2"):
        strength(Coverage(labels=(0, 1)), np.zeros((7, 4)))
