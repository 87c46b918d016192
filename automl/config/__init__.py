"""The config: what a user writes in YAML, checked, with the place of every mistake."""

from automl.config.config import Config, Task
from automl.config.crosschecks import known_metrics
from automl.config.data import Data, reader_arguments, row_limits
from automl.config.load import dump_config, load_config
from automl.config.recipe import Recipe
from automl.config.running import Cache, Latency, Resources, Sampler, Search, Stall, Tracking
from automl.config.student import FixedStudent, Student
from automl.config.teachers import (
    Covers,
    EstimatorTeacher,
    ExportedTeacher,
    FactoryTeacher,
    OnnxTeacher,
    Preprocessing,
    RunTeacher,
    Teacher,
    TrainTeacher,
)

__all__ = [
    "Cache",
    "Config",
    "Covers",
    "Data",
    "EstimatorTeacher",
    "ExportedTeacher",
    "FactoryTeacher",
    "FixedStudent",
    "Latency",
    "OnnxTeacher",
    "Preprocessing",
    "Recipe",
    "Resources",
    "RunTeacher",
    "Sampler",
    "Search",
    "Stall",
    "Student",
    "Task",
    "Teacher",
    "Tracking",
    "TrainTeacher",
    "dump_config",
    "known_metrics",
    "load_config",
    "reader_arguments",
    "row_limits",
]
