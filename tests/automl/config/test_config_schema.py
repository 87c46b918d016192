"""The config mirrors what it configures, and its schema is up to date."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args

import pytest

from automl.config import Config, Latency, Preprocessing, Recipe
from automl.config.data import COMMON, Data
from automl.config.part import Part
from automl.config.schema import schema
from automl.config.teachers import Teacher
from teachers.loading import LOADERS
from teachers.preprocessing import Preprocessing as TeacherPreprocessing
from trials.data import READERS
from trials.recipe import Recipe as TrialRecipe
from trials.records import LatencySettings

DOCUMENT = Path(__file__).parents[3] / "docs" / "config.schema.json"


def parts(annotation: object, seen: set[type[Part]]) -> Iterator[type[Part]]:
    """Walk all sections that a type can hold."""
    if isinstance(annotation, type) and issubclass(annotation, Part) and annotation not in seen:
        seen.add(annotation)
        yield annotation
        for field in annotation.model_fields.values():
            yield from parts(field.annotation, seen)
    for argument in get_args(annotation):
        yield from parts(argument, seen)


def kinds(union: object) -> dict[str, type[Part]]:
    members = [get_args(member)[0] for member in get_args(get_args(union)[0])]
    return {get_args(member.model_fields["kind"].annotation)[0]: member for member in members}


def test_the_schema_in_the_docs_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == schema(), (
        "write it anew: python -m automl.config.schema > docs/config.schema.json"
    )


def test_every_setting_is_described() -> None:
    found = list(parts(Config, set()))
    assert len(found) > 20
    bare = [
        f"{part.__name__}.{name}"
        for part in found
        for name, field in part.model_fields.items()
        if not field.description
    ]
    assert bare == []


def test_every_section_is_frozen_and_refuses_unknown_keys() -> None:
    for part in parts(Config, set()):
        assert part.model_config["frozen"], part
        if part.__name__ != "Loss":  # its further keys are the options of the loss
            assert part.model_config["extra"] == "forbid", part


@pytest.mark.parametrize(
    ("section", "record"),
    [(Recipe, TrialRecipe), (Latency, LatencySettings), (Preprocessing, TeacherPreprocessing)],
    ids=["recipe", "latency", "preprocessing"],
)
def test_a_section_has_the_fields_and_defaults_of_its_record(section: type[Part], record: type[Any]) -> None:
    assert list(section.model_fields) == [field.name for field in fields(record)]
    for field in fields(record):
        mine = section.model_fields[field.name]
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if default is MISSING:
            assert mine.is_required(), field.name
        else:
            assert mine.default == default, field.name


@pytest.mark.parametrize(("kind", "reader"), READERS.items(), ids=READERS)
def test_every_kind_of_data_has_the_arguments_of_its_reader(kind: str, reader: Callable[..., object]) -> None:
    section = kinds(Data)[kind]
    mine = {"split" if name == "split_column" else name for name in section.model_fields if name not in COMMON}
    assert mine == set(inspect.signature(reader).parameters)
    for name, parameter in inspect.signature(reader).parameters.items():
        field = section.model_fields["split_column" if name == "split" else name]
        assert field.is_required() == (parameter.default is inspect.Parameter.empty), name
        if parameter.default not in (inspect.Parameter.empty, None):
            assert field.default == parameter.default, name


def test_every_kind_of_data_that_can_be_read_can_be_written() -> None:
    assert set(kinds(Data)) == set(READERS)


@pytest.mark.parametrize("kind", sorted(set(LOADERS) - {"callable"}))
def test_every_kind_of_teacher_has_the_arguments_of_its_loader(kind: str) -> None:
    section = kinds(Teacher)[kind]
    # From the data, from what the teacher covers, and from where the search keeps things.
    given = {"class_names", "labels", "num_classes", "reads", "inputs", "keys", "data_tokenizer", "head", "kept"}
    mine = set(section.model_fields) - {"kind", "name", "covers", "classes"}  # the last chooses among its columns
    assert mine == set(inspect.signature(LOADERS[kind]).parameters) - given


def test_kinds_that_no_loader_reads_come_from_runs() -> None:
    assert set(kinds(Teacher)) - set(LOADERS) == {"run", "train"}
    assert set(LOADERS) - set(kinds(Teacher)) == {"callable"}  # an object from Python, which YAML cannot hold


def test_a_kind_is_the_first_key_so_that_a_written_config_reads_well() -> None:
    for section in (*kinds(Data).values(), *kinds(Teacher).values()):
        assert next(iter(section.model_fields)) == "kind", section
