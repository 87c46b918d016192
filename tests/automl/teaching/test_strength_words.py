"""The strength of teachers in words: home and abroad are told apart only where there is a difference."""

import pytest

from automl.teaching.strength_words import strength_columns, strength_in_words


@pytest.mark.parametrize(
    ("metric", "metrics", "said"),
    [
        ("accuracy", {"home": 0.9712}, "accuracy 0.971"),
        ("accuracy", {"home": 0.98, "abroad": 0.6}, "accuracy 0.980 at home, 0.600 abroad"),
        ("accuracy", {"abroad": 0.6}, "accuracy 0.600 abroad"),
        ("bits_per_byte", {"home": 2.25, "abroad": 3.5}, "bits a byte 2.250 at home, 3.500 abroad"),
        ("accuracy", {}, ""),
    ],
)
def test_a_teacher_of_everything_has_no_home(metric: str, metrics: dict[str, float], said: str) -> None:
    assert strength_in_words(metric, metrics) == said


def test_a_table_has_a_column_for_what_is_known_of_any_teacher() -> None:
    general, special = {"home": 0.9}, {"home": 0.98, "abroad": 0.6}
    assert strength_columns("accuracy", [general, general]) == {"home": "accuracy"}
    assert strength_columns("accuracy", [general, special]) == {"home": "accuracy at home", "abroad": "accuracy abroad"}
    assert strength_columns("bits_per_byte", [{}]) == {}
