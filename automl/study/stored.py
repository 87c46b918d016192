"""How records are written into the study and read back: as plain JSON, checked on the way in."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from automl.attribution.contributions import Inquiry, Retraining
from automl.front.objectives import Objective
from automl.run import FinalMeasurement, ProxyUse, TeacherRecord
from automl.searching.rungs import RungRecord
from automl.transfer.warm_start import WarmStart
from trials.records import Candidate, Limit, Trial, TrialResult

final: TypeAdapter[FinalMeasurement] = TypeAdapter(FinalMeasurement)
inquiry: TypeAdapter[Inquiry] = TypeAdapter(Inquiry)
limits: TypeAdapter[tuple[Limit, ...]] = TypeAdapter(tuple[Limit, ...])
objectives: TypeAdapter[tuple[Objective, ...]] = TypeAdapter(tuple[Objective, ...])
probes: TypeAdapter[tuple[tuple[Candidate, ...], ...]] = TypeAdapter(tuple[tuple[Candidate, ...], ...])
proxy: TypeAdapter[ProxyUse | None] = TypeAdapter(ProxyUse | None)
result: TypeAdapter[TrialResult] = TypeAdapter(TrialResult)
retraining: TypeAdapter[Retraining] = TypeAdapter(Retraining)
rungs: TypeAdapter[tuple[RungRecord, ...]] = TypeAdapter(tuple[RungRecord, ...])
teachers: TypeAdapter[tuple[TeacherRecord, ...]] = TypeAdapter(tuple[TeacherRecord, ...])
trial: TypeAdapter[Trial] = TypeAdapter(Trial)
warm_start: TypeAdapter[WarmStart] = TypeAdapter(WarmStart)

MOST_CHARACTERS = 30_000
"""Of one attribute. A TEXT column of MySQL takes 65,535 bytes; a long history, or many classes, give more."""
_PARTS = "in parts"


def attributes(name: str, record: Any) -> dict[str, Any]:
    """Write a record as attributes of a study or a trial: one, or several where it is too long for one.

    Args:
        name: Of the record.
        record: Plain data.

    Returns:
        Attributes by name; the one called ``name`` is the last, so that it is there only when all are.
    """
    text = json.dumps(record)
    if len(text) <= MOST_CHARACTERS:
        return {name: record}
    parts = [text[start : start + MOST_CHARACTERS // 2] for start in range(0, len(text), MOST_CHARACTERS // 2)]
    return {f"{_PARTS}:{number}:{name}": part for number, part in enumerate(parts)} | {name: {_PARTS: len(parts)}}


def record_of(found: Mapping[str, Any], name: str) -> Any:
    """Read back what ``attributes`` wrote; None where there is no such record."""
    record = found.get(name)
    if isinstance(record, dict) and record.keys() == {_PARTS}:
        return json.loads("".join(found[f"{_PARTS}:{number}:{name}"] for number in range(record[_PARTS])))
    return record
