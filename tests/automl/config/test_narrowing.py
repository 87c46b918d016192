"""What ranges of a config make of the choices of a space."""

import pytest

from automl.config.narrowing import narrowed
from automl.config.searchable import NumberRange
from automl.config.student import Student
from search_spaces import Categorical, Domain, Integer, Real

STEPPED, PLAIN, MAGNITUDES = (
    Integer(low=16, high=128, step=16),
    Integer(low=1, high=64),
    Integer(low=1, high=64, log=True),
)


@pytest.mark.parametrize(
    ("said", "known", "expected"),
    [
        ({"low": 32, "high": 96}, STEPPED, Integer(low=32, high=96, step=16)),
        ({"low": 32, "high": 96, "step": 32}, STEPPED, Integer(low=32, high=96, step=32)),
        ({"low": 4, "high": 8, "step": 2}, PLAIN, Integer(low=4, high=8, step=2)),
        ({"low": 4, "high": 8}, MAGNITUDES, Integer(low=4, high=8, log=True)),
        ({"low": 4, "high": 8, "log": False}, MAGNITUDES, Integer(low=4, high=8)),
        ({"low": 4, "high": 8, "step": 2}, MAGNITUDES, Integer(low=4, high=8, step=2)),
        ({"low": 4, "high": 8, "log": True}, PLAIN, Integer(low=4, high=8, log=True)),
        ({"low": 1, "high": 4}, Real(low=0.5, high=8.0, log=True), Real(low=1.0, high=4.0, log=True)),
        ({"low": 2, "high": 8}, Categorical(options=(1, 2, 4, 8, 16)), Categorical(options=(2, 4, 8))),
    ],
)
def test_a_range_keeps_what_it_does_not_say(said: dict[str, int], known: Domain, expected: Domain) -> None:
    assert narrowed(NumberRange.model_validate(said), known) == expected


def test_every_width_of_a_narrowed_decoder_can_be_split_into_heads() -> None:
    student = Student.model_validate({"space": "decoder", "choices": {"width": {"low": 32, "high": 96}}})
    (width,) = (choice for choice in student.make_space().choices if choice.name == "width")
    assert width.domain == Integer(low=32, high=96, step=16)
