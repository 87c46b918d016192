"""The standard library, taken apart into code and prose by the example's script."""

import ast
import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "code_data.py"))
code_and_prose, documents = SCRIPT["code_and_prose"], SCRIPT["documents"]

SOURCE = '''#!/usr/bin/env python
"""A module.

    An example.
"""

import a  # why


class C:
    """Nothing else."""


class D: "on the line"


def f(b="#"):
    """Of f,
    two lines."""
    # One,
    # two.

    if b:
        "alone"

    return """

    kept, and its empty lines


    """
'''

CODE = '''import a


class C:
    pass


class D: "on the line"


def f(b="#"):

    if b:
        pass

    return """

    kept, and its empty lines


    """
'''

PROSE = '''#!/usr/bin/env python
"""A module.

    An example.
"""

# why

"""Nothing else."""

"""Of f,
two lines."""
# One,
# two.

"alone"
'''


def test_code_keeps_everything_but_docstrings_and_comments():
    assert code_and_prose(SOURCE) == (CODE, PROSE)


class WithoutStrings(ast.NodeTransformer):
    """Removes strings that are statements."""

    def generic_visit(self, node):
        super().generic_visit(node)
        for part in ("body", "orelse", "finalbody"):
            block = getattr(node, part, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                kept = [each for each in block if not SCRIPT["is_string"](each)]
                setattr(node, part, kept or ([] if isinstance(node, ast.Module) else [ast.Pass()]))
        return node


@pytest.mark.parametrize("name", ["dataclasses", "textwrap", "enum"])
def test_a_module_of_the_library_keeps_its_tree(name):
    source = Path(__import__(name).__file__).read_text(encoding="utf-8")
    code, prose = code_and_prose(source)
    assert ast.dump(ast.parse(code)) == ast.dump(WithoutStrings().visit(ast.parse(source)))
    assert all(SCRIPT["is_string"](statement) for statement in ast.parse(prose).body)


def test_a_module_is_in_one_split_whatever_else_there_is(tmp_path):
    body = "".join(f"x{number} = {number}  # number {number}\n" for number in range(40))
    for number in range(40):
        (tmp_path / f"m{number}.py").write_text(body)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "left_out.py").write_text(body)
    (tmp_path / "broken.py").write_text("x = (")
    rows = list(documents(tmp_path))
    assert [row["kind"] for row in rows] == ["code", "prose"] * 40
    splits = {row["module"]: row["split"] for row in rows}
    assert all(splits[row["module"]] == row["split"] for row in rows)
    assert set(splits.values()) == {"train", "validation", "test"}
    few = list(documents(tmp_path, kilobytes=2))
    assert few == [row for row in rows if row in few]
    assert 2000 <= sum(len(row["text"]) for row in few if row["kind"] == "code") < 2000 + len(body)
    assert list(documents(tmp_path, longest=100)) == []
