"""What holds each character of Python source: the innermost statement or expression around it.

Shape letters: c = characters of a text.
"""

import ast
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trials.syntax.lines import lines_of, one_newline, starts_of
from trials.syntax.parsing import parsed

PARENT = "parent"
"""Fact of a token, as annotated data sets have it."""

NO_PARENT = -1
"""Of characters between the statements of a module, and of all where the source does not parse."""

_Place = tuple[int, int]
"""Line, counted from 1, and byte within it, as ``ast`` gives them."""


def parents_of(text: str) -> NDArray[np.int64]:
    """Give the number of the node that holds each character.

    A name or a constant alone does not hold itself: in ``f(a, b)`` all six tokens share the call. A string with
    expressions within is one constant. What stands between the statements of a block is held by the block's statement.

    Args:
        text: Python source; of one that does not parse nothing is known.

    Returns:
        Numbers from 0 on, unlike for unlike nodes of the text, ``NO_PARENT`` where there is none (c,).
    """
    text = one_newline(text)
    parent_c = np.full(len(text), NO_PARENT, dtype=np.int64)
    tree = parsed(text)
    if tree is None:
        return parent_c
    lines = lines_of(text)
    starts = starts_of(lines)

    def place(position: _Place) -> int:
        row, byte = position
        line = lines[row - 1] if row <= len(lines) else ""
        within = byte if line.isascii() else len(line.encode("utf-8")[:byte].decode("utf-8"))
        return starts[row - 1] + within

    for number, (start, end) in enumerate(_spans(tree)):
        parent_c[place(start) : place(end)] = number  # Inner nodes come after those around them.
    return parent_c


def _spans(tree: ast.Module) -> Iterator[tuple[_Place, _Place]]:
    """Go through the nodes that hold something, outer ones first: where each begins and ends."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        inner = [] if isinstance(node, ast.JoinedStr) else list(ast.iter_child_nodes(node))
        waiting += reversed(inner)
        if isinstance(node, ast.stmt) or (_has_place(node) and any(map(_has_place, inner))):
            yield _span(node)


def _has_place(node: ast.AST) -> bool:
    return hasattr(node, "end_col_offset")


def _span(node: ast.AST) -> tuple[_Place, _Place]:
    assert isinstance(node, ast.stmt | ast.expr | ast.excepthandler | ast.pattern | ast.arg | ast.keyword | ast.alias)
    assert node.end_lineno is not None and node.end_col_offset is not None
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
