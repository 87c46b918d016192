"""Trees of Python source, where it has one."""

import ast
import warnings

from trials.syntax.lines import lines_of, one_newline

_MAY_GO_ON = 0x4000
"""``PyCF_ALLOW_INCOMPLETE_INPUT`` of Python's compiler, which is public from 3.13 on only."""


def parsed(text: str) -> ast.Module | None:
    """Parse a module; None if that is not possible."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of escapes that Python will not know one day.
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def parses_so_far(text: str) -> bool:
    """Tell whether a module parses, or may be the beginning of one that does: what is open may still be closed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(one_newline(text), "<text>", "exec", flags=ast.PyCF_ONLY_AST | _MAY_GO_ON)
        except SyntaxError as error:
            return "incomplete input" in str(error)  # As Python's own module codeop tells it.
        except (ValueError, RecursionError, MemoryError):
            return False
    return True


def parsed_part(source: str) -> ast.Module | None:
    """Parse part of a module, which may be indented as a whole; None if that is not possible, or nothing is there."""
    source = one_newline(source)
    first = next((line for line in lines_of(source) if line.strip()), "")
    tree = parsed(f"if 1:\n{source}" if first[:1].isspace() else source)
    if tree is None or not tree.body:
        return None
    if not first[0].isspace():
        return tree
    block = tree.body[0]
    assert isinstance(block, ast.If)
    whole = len(tree.body) == 1 and not block.orelse
    return ast.Module(body=block.body, type_ignores=[]) if whole else None
