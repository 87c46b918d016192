"""Files of tables as training and an exported student read them; never imports torch."""

import codecs
import csv
import gzip
import sys
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_SEPARATORS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}


def not_utf8(path: Path) -> str:
    """Say where a text is not UTF-8, and how to make it so.

    Args:
        path: A file, gzipped where its name ends in ``.gz``, that could not be decoded.
    """
    open_bytes = gzip.open if path.suffix.lower() == ".gz" else open
    with open_bytes(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                wide = number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
                return (
                    f"{path}, line {number}: is no UTF-8 text (byte {line[error.start]:#04x}); convert the file from "
                    f"the encoding that it was written in, as with: iconv -f {'UTF-16' if wide else 'LATIN1'} -t UTF-8"
                )
    raise AssertionError(f"{path} is UTF-8 after all")


def check_rows(path: Path, *, separator: str, needed: Collection[str]) -> None:
    """Refuse what pandas would read as something else without a word.

    A column that is named twice gets another name there, fields that a row lacks are taken as empty, and with a field
    more in each row all values move by one column.

    Args:
        path: A file in UTF-8, gzipped where its name ends in ``.gz``; blank lines do not count.
        separator: Between two fields.
        needed: Columns that the table must have.

    Raises:
        ValueError: The file is no such table; the message names the line.
    """
    open_text = gzip.open if path.suffix.lower() == ".gz" else open
    with whole_fields(), open_text(path, "rt", encoding="utf-8-sig", newline="") as file:
        try:
            rows = _rows(csv.reader(file, delimiter=separator))
            _, header = next(rows, (0, []))
            _check_header(path, header, separator, needed)
            for line, row in rows:
                if len(row) != len(header):
                    raise ValueError(
                        f"{path}, line {line}: has {_fields(len(row))}, but the header names {len(header)} columns; "
                        "complete the row (a field may be empty), or leave it out"
                    )
        except UnicodeDecodeError as error:
            raise ValueError(not_utf8(path)) from error
        except (csv.Error, OSError, EOFError, zlib.error) as error:
            raise ValueError(f"cannot read {path}: {error}") from error


def _check_header(path: Path, header: Sequence[str], separator: str, needed: Collection[str]) -> None:
    if len(header) == 1 or not set(needed) <= set(header):
        line = separator.join(header)
        for other, name in _SEPARATORS.items():
            found = next(csv.reader([line], delimiter=other), [])
            if other != separator and len(found) > 1 and (len(header) == 1 or set(needed) <= set(found)):
                raise ValueError(
                    f"{path}: its columns are separated by {name}, expected {_SEPARATORS[separator]}; write it anew, "
                    f"as with pandas.read_csv(FILE, sep={other!r}).to_csv(NEW, sep={separator!r}, index=False), "
                    "and mind decimal commas (decimal=',')"
                )
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise ValueError(
            f"{path}, line 1: names {', '.join(map(repr, twice))} more than once; give each column a name of its own"
        )


def _rows(reader: "Iterator[list[str]]") -> Iterator[tuple[int, list[str]]]:
    """Give the rows that are not blank, each with the line that it starts in."""
    line = 1
    for row in reader:
        if len(row) > 1 or (row and row[0].strip()):
            yield line, row
        line = reader.line_num + 1  # type: ignore[attr-defined]  # the type of csv.reader has no public name


def _fields(number: int) -> str:
    return "1 field" if number == 1 else f"{number} fields"


@contextmanager
def whole_fields() -> Iterator[None]:
    """Take texts of any length; csv stops at 131,072 characters."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)
