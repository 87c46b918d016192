"""Limits as users write them: ``latency_ms <= 2``."""

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from automl.objectives import parse_limit
from trials.records import Limit


def written(limit: Limit) -> str:
    """Write a limit so that it reads back equal, to the last digit."""
    value = int(limit.value) if limit.value.is_integer() and abs(limit.value) < 1e15 else limit.value
    return f"{limit.metric} {'<=' if limit.at_most else '>='} {value!r}"


def _limit(value: Any) -> Limit:
    return value if isinstance(value, Limit) else parse_limit(value if isinstance(value, str) else repr(value))


WrittenLimit = Annotated[
    Limit,
    PlainValidator(_limit),
    PlainSerializer(written, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "<=|>="}),
]
"""A limit, written as text in a config."""
