"""Limits as users write them: ``latency_ms <= 2``."""

import re
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from trials.records import Limit

_LIMIT = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(<=|>=)\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


def parse_limit(text: str) -> Limit:
    """Read a limit.

    Args:
        text: ``METRIC <= NUMBER`` or ``METRIC >= NUMBER``, with or without spaces.

    Raises:
        ValueError: It is written otherwise.
    """
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise ValueError(
            f"expected METRIC <= NUMBER or METRIC >= NUMBER, such as 'latency_ms <= 2' (milliseconds) or "
            f"'size_bytes <= 50000', got {text!r}"
        )
    metric, sign, number = found.groups()
    return Limit(metric=metric, at_most=sign == "<=", value=float(number))


def written(limit: Limit) -> str:
    """Write a limit so that it reads back equal, to the last digit."""
    value = int(limit.value) if limit.value.is_integer() and abs(limit.value) < 1e15 else limit.value
    return f"{limit.metric} {'<=' if limit.at_most else '>='} {value!r}"


def _limit(value: Any) -> Limit:
    if isinstance(value, Limit):
        return value
    return parse_limit(value if isinstance(value, str) else str(value))


WrittenLimit = Annotated[
    Limit,
    PlainValidator(_limit),
    PlainSerializer(written, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "<=|>="}),
]
"""A limit, written as text in a config."""
