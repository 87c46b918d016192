"""Files of stored completions, line by line."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from teachers.generating import Generation

_PARQUET = (".parquet", ".pq")
_JSON = (".jsonl", ".ndjson")
_SHOWN = 80


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a file says about a row or a prompt.

    Args:
        key: Name of the row, or the prompt.
        place: In the file, such as ``line 3``.
        completions: What was written.
        label: Class that was said; None where texts or probabilities say it.
        probabilities: Of classes, by name, at least 0; None where a label or texts say it.
    """

    key: str
    place: str
    completions: tuple[Generation, ...]
    label: str | None
    probabilities: Mapping[str, float] | None

    def told(self) -> str:
        """Show what the line says, briefly."""
        said = self.label or self.probabilities or (self.completions[0].text if self.completions else "")
        return f"{self.place}: {str(said)[:_SHOWN]!r}"


def read_lines(path: Path, *, by: str) -> list[Line]:
    """Read a file.

    Each line has the column ``by`` and one or more of: ``completion``, a text, with ``score`` or ``log_probability`` if
    there is one, and ``ended``, false where it was cut off; ``completions``, a list of texts, or of such records with
    their texts under ``text``; ``label``, a class; ``probabilities``, a mapping from classes. Several lines may be
    about one row. Other columns are not read.

    Args:
        path: JSON lines, or Parquet.
        by: Column that says which row, or which prompt, a line is about.

    Returns:
        Its lines, at least one.

    Raises:
        ValueError: A line is not as expected; the message gives its number.
    """
    lines = []
    for place, record in _records(path):
        try:
            lines.append(_line(record, by, place))
        except ValueError as error:
            raise ValueError(f"{path}, {place}: {error}") from error
    if not lines:
        raise ValueError(f"{path} is empty; expected a completion a line")
    return lines


def _records(path: Path) -> Iterator[tuple[str, object]]:
    if path.suffix.lower() in _PARQUET:
        import pyarrow.parquet

        try:
            table = pyarrow.parquet.read_table(path)
        except (OSError, ValueError) as error:  # pyarrow's own errors are among them
            raise ValueError(f"cannot read {path}: {error}") from error
        for number, record in enumerate(table.to_pylist(), start=1):
            yield f"row {number}", record
        return
    if path.suffix.lower() not in _JSON:
        raise ValueError(f"{path}: the suffix must be one of {', '.join((*_JSON, *_PARQUET))}")
    with path.open(encoding="utf-8") as file:
        try:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"line {number}", _json(line)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not in UTF-8: {error}") from error


def _json(line: str) -> object:
    try:
        found: object = json.loads(line)
    except ValueError as error:
        return error
    return found


def _line(record: object, by: str, place: str) -> Line:
    if isinstance(record, ValueError):
        raise ValueError(f"this is no JSON: {record}")  # what users can cause is a ValueError
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object, got {type(record).__name__}")
    given = {str(name): value for name, value in record.items() if value is not None}
    key = given.get(by)
    if not isinstance(key, str | int) or isinstance(key, bool):
        raise ValueError(
            f"expected a text or a whole number under {by!r}, got {key!r}; columns are {', '.join(sorted(given))}"
        )
    label = given.get("label")
    found = Line(
        key=str(key),
        place=place,
        completions=tuple(_completions(given)),
        label=None if label is None else str(label),
        probabilities=_probabilities(given.get("probabilities")),
    )
    if not found.completions and found.label is None and found.probabilities is None:
        raise ValueError(
            "expected one of completion, completions, label and probabilities, got "
            f"{', '.join(sorted(given.keys() - {by})) or 'none'}"
        )
    return found


def _completions(given: Mapping[str, object]) -> Iterator[Generation]:
    if "completion" in given:
        yield _generation({**given, "text": given["completion"]}, "completion")
    several = given.get("completions", [])
    if not isinstance(several, list):
        raise ValueError(f"completions must be a list, got {type(several).__name__}")
    for each in several:
        yield _generation(each if isinstance(each, dict) else {"text": each}, "completions")


def _generation(record: Mapping[str, object], column: str) -> Generation:
    text = record.get("text")
    if not isinstance(text, str):
        raise ValueError(f"{column} must hold texts, got {text!r}")
    ended = True if (told := record.get("ended")) is None else told
    if not isinstance(ended, bool):
        raise ValueError(f"ended must be true or false, got {ended!r}")
    return Generation(
        text=text,
        log_probability=_number(record, "log_probability"),
        score=_number(record, "score"),
        ended=ended,
    )


def _number(record: Mapping[str, object], name: str) -> float | None:
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def _probabilities(value: object) -> dict[str, float] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError(f"probabilities must be a mapping from classes to numbers, got {value!r}")
    found = {str(name): _number(value, name) or 0.0 for name in value}
    if min(found.values(), default=0.0) < 0 or not sum(found.values()) > 0:
        raise ValueError(f"probabilities must be at least 0 and not all 0, got {value!r}")
    return found
