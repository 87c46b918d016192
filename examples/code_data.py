"""Makes the data of ``code.yaml`` from the standard library of the Python that runs this.

    python examples/code_data.py --to FOLDER

writes ``FOLDER/code.parquet``, a document a row, in the column ``text``. Each module gives two, told apart by the
column ``kind``: ``code``, the source without docstrings and comments, and ``prose``, these alone. The column ``split``
says which split a module is in, with both documents; that depends on its name alone. The standard library is under the
PSF licence.
"""

import argparse
import ast
import hashlib
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from trials.syntax import ROLES, roles_of

LEFT_OUT = frozenset({"test", "tests", "idle_test", "site-packages", "dist-packages", "encodings", "pydoc_data"})
"""Tests, what is not of the library, and tables that are written by programs."""

SHORTEST = 200
"""Characters of a document."""

COMMENT, INDENT = ROLES.index("comment"), ROLES.index("indent")


def modules(folder: Path, *, longest: int | None = None) -> Iterator[tuple[str, str]]:
    """Go through the modules below a folder, as if shuffled, but always alike: name and source of each that parses.

    Args:
        folder: Of the standard library.
        longest: Characters of a module; None for any number.
    """
    names = {".".join(path.relative_to(folder).with_suffix("").parts): path for path in folder.rglob("*.py")}
    for name in sorted(names, key=digest):
        if not LEFT_OUT.isdisjoint(name.split(".")):
            continue
        try:
            source = names[name].read_text(encoding="utf-8")
            parse(source)
        except (SyntaxError, ValueError):  # some files are templates, or of another encoding
            continue
        if longest is None or len(source) <= longest:
            yield name, source


def digest(name: str) -> str:
    """Give what stands for a name wherever chance would be asked."""
    return hashlib.sha256(name.encode()).hexdigest()


def parse(source: str) -> ast.Module:
    """Parse, without a word of escapes that Python will not know one day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def code_and_prose(source: str) -> tuple[str, str]:
    """Take a module apart.

    Returns:
        Its source without comments and strings that are statements, ``pass`` where a block had nothing else; and these
        alone, in their order, not indented, so that this is Python too.
    """
    alone_in_block = strings_alone_in_block(source)
    code, prose, done = [], [], 0
    for start, end in runs(roles_of(source) == COMMENT):
        text = source[start:end].lstrip()
        first, line = end - len(text), source.rfind("\n", 0, start) + 1
        has_own_line = not source[line:start].strip() and source[end : end + 1] in ("", "\n")
        code.append(source[done : line if has_own_line else start])
        if first in alone_in_block:
            code.append(f"{source[line:first]}pass\n" if has_own_line else " pass")
        between = source[done:line]
        if between:
            prose.append("")
        prose.append(text.replace(f"\n{' ' * (first - line)}", "\n"))
        done = end + 1 if has_own_line else end
    code.append(source[done:])
    return without_gaps("".join(code)), "\n".join(prose).strip() + "\n"


def strings_alone_in_block(source: str) -> set[int]:
    """Find the first string of each block that has nothing else: the place of its first character."""
    starts = np.cumsum([0, *(len(line) + 1 for line in source.split("\n"))])
    blocks = [getattr(node, part, None) for node in ast.walk(parse(source)) for part in ("body", "orelse", "finalbody")]
    found = set()
    for block in blocks:
        if isinstance(block, list) and block and all(map(is_string, block)) and block[0].col_offset:
            found.add(int(starts[block[0].lineno - 1]) + block[0].col_offset)
    return found


def is_string(statement: ast.stmt) -> bool:
    """Tell whether a statement is a string and nothing else."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def runs(chosen: np.ndarray) -> list[tuple[int, int]]:
    """Give the first of each run of what is chosen, and the one after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(int)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def without_gaps(code: str) -> str:
    """Leave at most two empty lines in succession, and none in front; those within strings stay."""
    layout = np.append(roles_of(code) == INDENT, True)
    kept: list[str] = []
    place = 0
    for line in code.split("\n"):
        empty = not line.strip() and layout[place]
        place += len(line) + 1
        if not empty or (kept and kept[-2:] != ["", ""]):
            kept.append("" if empty else line)
    return "\n".join(kept).rstrip() + "\n"


def documents(folder: Path, *, kilobytes: int | None = None, longest: int | None = None) -> Iterator[dict[str, str]]:
    """Give the rows of the table.

    Args:
        folder: Of the standard library.
        kilobytes: Of each kind, at which to stop; None goes to the end.
        longest: As for ``modules``.
    """
    sizes = {"code": 0, "prose": 0}
    for name, source in modules(folder, longest=longest):
        if kilobytes is not None and min(sizes.values()) >= 1000 * kilobytes:
            return
        split = {0: "test", 1: "validation"}.get(int(digest(name)[-4:], 16) % 10, "train")
        for kind, text in zip(sizes, code_and_prose(source), strict=True):
            if len(text) >= SHORTEST and (kilobytes is None or sizes[kind] < 1000 * kilobytes):
                sizes[kind] += len(text.encode())
                yield {"text": text, "kind": kind, "split": split, "module": name}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True, help="folder to write to")
    parser.add_argument("--kilobytes", type=int, help="of each kind; without it, all that there is")
    parser.add_argument("--longest", type=int, help="characters of a module; without it, any number")
    arguments = parser.parse_args()
    library = Path(sysconfig.get_paths()["stdlib"])
    table = pd.DataFrame(documents(library, kilobytes=arguments.kilobytes, longest=arguments.longest))
    arguments.to.mkdir(parents=True, exist_ok=True)
    path = arguments.to / "code.parquet"
    table.to_parquet(path, index=False)
    sizes = table.text.str.len().groupby([table.kind, table.split]).agg(["count", "sum"])
    print(f"{path}: documents and characters\n{sizes}")


if __name__ == "__main__":
    main()
