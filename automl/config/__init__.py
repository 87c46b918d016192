"""The config: what a user writes in YAML, checked, with the place of every mistake."""

from automl.config.asked_teachers import CompletionsTeacher, EndpointTeacher
from automl.config.config import Config, Task
from automl.config.crosschecks import known_metrics
from automl.config.data import Data, reader_arguments, row_limits
from automl.config.load import dump_config, load_config
from automl.config.recipe import Recipe
from automl.config.running import Cache, Latency, Resources, Sampler, Search, Stall, Tracking
from automl.config.student import FixedStudent, Student
from automl.config.teacher_parts import Covers, Preprocessing
from automl.config.teachers import (
    EstimatorTeacher,
    ExportedTeacher,
    FactoryTeacher,
    OnnxTeacher,
    RunTeacher,
    Teacher,
    TrainTeacher,
)
from automl.config.text_teachers import SentenceEncoderTeacher, TransformersTeacher

__all__ = [
    "Cache",
    "CompletionsTeacher",
    "Config",
    "Covers",
    "Data",
    "EndpointTeacher",
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
    "SentenceEncoderTeacher",
    "Stall",
    "Student",
    "Task",
    "Teacher",
    "Tracking",
    "TrainTeacher",
    "TransformersTeacher",
    "dump_config",
    "known_metrics",
    "load_config",
    "reader_arguments",
    "row_limits",
]
