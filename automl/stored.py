"""How records are written into the study and read back: as plain JSON, checked on the way in."""

from pydantic import TypeAdapter

from automl.objectives import Objective
from automl.run import FinalMeasurement, TeacherRecord
from trials.records import Limit, Trial, TrialResult

final: TypeAdapter[FinalMeasurement] = TypeAdapter(FinalMeasurement)
limits: TypeAdapter[tuple[Limit, ...]] = TypeAdapter(tuple[Limit, ...])
objectives: TypeAdapter[tuple[Objective, ...]] = TypeAdapter(tuple[Objective, ...])
result: TypeAdapter[TrialResult] = TypeAdapter(TrialResult)
teachers: TypeAdapter[tuple[TeacherRecord, ...]] = TypeAdapter(tuple[TeacherRecord, ...])
trial: TypeAdapter[Trial] = TypeAdapter(Trial)
