"""Conditions of choices, as plain callables that can be sent to another process.

A choice that is not active fulfils no condition on its value.
"""

from collections.abc import Callable
from functools import partial

from search_spaces.choices import Value, Values

Condition = Callable[[Values], bool]


def equals(name: str, value: Value) -> Condition:
    """Ask whether the choice ``name`` is ``value``."""
    return partial(_equals, name, value)


def one_of(name: str, *values: Value) -> Condition:
    """Ask whether the choice ``name`` is one of ``values``."""
    return partial(_one_of, name, values)


def at_least(name: str, low: int) -> Condition:
    """Ask whether the choice ``name``, a number, is ``low`` or more."""
    return partial(_at_least, name, low)


def all_of(*conditions: Condition) -> Condition:
    """Ask whether all conditions hold."""
    return partial(_all_of, conditions)


def _equals(name: str, value: Value, values: Values) -> bool:
    return name in values and values[name] == value


def _one_of(name: str, options: tuple[Value, ...], values: Values) -> bool:
    return name in values and values[name] in options


def _at_least(name: str, low: int, values: Values) -> bool:
    return name in values and float(values[name]) >= low


def _all_of(conditions: tuple[Condition, ...], values: Values) -> bool:
    return all(condition(values) for condition in conditions)
