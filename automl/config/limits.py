"""Limits as users write them: ``latency_ms <= 2``."""

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from automl.front.objectives import parse_limit
from trials.records import Limit


def _limit(value: Any) -> Limit:
    return value if isinstance(value, Limit) else parse_limit(value if isinstance(value, str) else repr(value))


WrittenLimit = Annotated[
    Limit,
    PlainValidator(_limit),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "<=|>="}),
]
"""A limit, written as text in a config."""
