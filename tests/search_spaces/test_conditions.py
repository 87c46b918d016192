import pickle

from search_spaces import all_of, at_least, equals


def test_conditions_read_values() -> None:
    values = {"kind": "gated", "depth": 3}
    assert equals("kind", "gated")(values)
    assert not equals("kind", "plain")(values)
    assert at_least("depth", 3)(values)
    assert not at_least("depth", 4)(values)
    assert all_of(equals("kind", "gated"), at_least("depth", 2))(values)
    assert not all_of(equals("kind", "gated"), at_least("depth", 4))(values)


def test_inactive_choices_fulfil_nothing() -> None:
    assert not equals("kind", "gated")({})
    assert not at_least("depth", -5)({})


def test_conditions_can_be_pickled() -> None:
    condition = pickle.loads(pickle.dumps(all_of(equals("kind", "gated"), at_least("depth", 2))))
    assert condition({"kind": "gated", "depth": 2})
    assert not condition({"kind": "gated", "depth": 1})
