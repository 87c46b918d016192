"""What each character of Python source is to the parser.

Shape letters: c = characters of a text.
"""

import keyword
import token
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trials.syntax.lines import lines_of, one_newline, starts_of

ROLES = ("keyword", "operator", "bracket", "indent", "identifier", "literal", "comment")
"""Roles in the order of their numbers.

``None``, ``True`` and ``False`` are literals; commas, colons and dots are operators, as Python's own tokens have them.
``indent`` is all layout: line breaks, and what stands before a line. A docstring, and any other string that has
its lines to itself, is a comment: it is written for readers, and the syntax around it does not depend on it.
"""

ROLE, NEXT_ROLE = "role", "next.role"
"""Fact of a token, and of the one that comes next, as annotated data sets have them."""

_KEYWORD, _OPERATOR, _BRACKET, _INDENT, _IDENTIFIER, _LITERAL, _COMMENT = range(len(ROLES))

_CONSTANTS = frozenset({"None", "True", "False"})
_BRACKETS = frozenset("()[]{}")
_BLANKS = " \t\f\v"
_LAYOUT = frozenset({token.NL, token.INDENT, token.DEDENT, token.ENDMARKER})
_UNKNOWN = -1


class _Piece(NamedTuple):
    """A role, from a first character to the one after the last."""

    role: int
    start: int
    end: int


def roles_of(text: str) -> NDArray[np.int64]:
    """Give the role of each character.

    A space within a line goes with what follows it, as in byte-level tokens. Where the source cannot be cut into tokens
    to its end, as half a file, the cutting begins anew with the next line. What is no token even so is a literal, since
    it mostly is part of a string.

    Args:
        text: Python source, whether or not it parses.

    Returns:
        Numbers of ``ROLES`` (c,).
    """
    lines = lines_of(one_newline(text))
    role_c = np.full(len(text), _UNKNOWN, dtype=np.int64)
    for piece in _pieces(lines):
        role_c[piece.start : piece.end] = piece.role
    for line, start in zip(lines, starts_of(lines), strict=False):
        blank = len(line) - len(line.lstrip(_BLANKS))
        _lay(role_c, _Piece(_INDENT, start, start + blank))
        end = start + len(line.removesuffix("\n").removesuffix("\\"))
        _lay(role_c, _Piece(_INDENT, end, start + len(line)))
    return _filled("".join(lines), role_c)


def _lay(role_c: NDArray[np.int64], piece: _Piece) -> None:
    """Give characters a role if they have none."""
    part_c = role_c[piece.start : piece.end]
    part_c[part_c == _UNKNOWN] = piece.role


def _filled(text: str, role_c: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give spaces the role of what follows them, and make literals of all else that has none."""
    unknown = np.flatnonzero(role_c == _UNKNOWN)
    spaces = np.array([text[place] in _BLANKS for place in unknown], dtype=bool)
    role_c[unknown[~spaces]] = _LITERAL
    known = np.flatnonzero(role_c != _UNKNOWN)
    following = np.searchsorted(known, unknown[spaces])
    role_c[unknown[spaces]] = np.append(role_c[known], _INDENT)[following]
    return role_c


def _pieces(lines: list[str]) -> Iterator[_Piece]:
    """Go through the tokens, and begin anew after a place where there is no going on."""
    starts, first = starts_of(lines), 0
    while first < len(lines):
        tokens, ended = _tokens(lines[first:])
        for role, each in _with_roles(tokens):
            (start_row, start), (end_row, end) = each.start, each.end
            yield _Piece(role, starts[first + start_row - 1] + start, starts[first + end_row - 1] + end)
        if ended:
            return
        first += max([1, *(each.end[0] for each in tokens)])


def _tokens(lines: list[str]) -> tuple[list[tokenize.TokenInfo], bool]:
    """Cut lines into tokens, and tell whether the end was reached; of layout, ends of statements only."""
    found: list[tokenize.TokenInfo] = []
    waiting = iter(lines)
    try:
        for each in tokenize.generate_tokens(lambda: next(waiting, "")):
            if each.type not in _LAYOUT:
                found.append(each)  # noqa: PERF401 # what came before an error counts
    except (tokenize.TokenError, SyntaxError):
        return found, False
    return found, True


def _with_roles(tokens: list[tokenize.TokenInfo]) -> Iterator[tuple[int, tokenize.TokenInfo]]:
    statement: list[tokenize.TokenInfo] = []
    for each in tokens:
        if each.type == token.NEWLINE:
            yield from _of_statement(statement)
            statement = []
        elif each.type == token.COMMENT:
            yield _COMMENT, each
        elif each.type != token.ERRORTOKEN:
            statement.append(each)
    yield from _of_statement(statement)


def _of_statement(statement: list[tokenize.TokenInfo]) -> Iterator[tuple[int, tokenize.TokenInfo]]:
    if all(each.type == token.STRING for each in statement):
        yield from ((_COMMENT, each) for each in statement)
        return
    depth = 0  # of strings with code within, which Python cuts into tokens from 3.12 on
    for each in statement:
        name = token.tok_name[each.type]
        depth += name.endswith("STRING_START")
        yield _LITERAL if depth else _of_token(each), each
        depth -= name.endswith("STRING_END")


def _of_token(each: tokenize.TokenInfo) -> int:
    if each.type == token.NAME:
        if each.string in _CONSTANTS:
            return _LITERAL
        return _KEYWORD if keyword.iskeyword(each.string) else _IDENTIFIER
    if each.string in token.EXACT_TOKEN_TYPES:  # From Python 3.12 on, what is no token has the type of an operator.
        return _BRACKET if each.string in _BRACKETS else _OPERATOR
    return _LITERAL
