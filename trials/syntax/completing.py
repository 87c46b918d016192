"""A function that a model wrote to its end: where it ends, and whether it parses."""

import token
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from trials.syntax.lines import lines_of, one_newline, starts_of
from trials.syntax.parsing import parsed_part

_SILENT = frozenset({token.NL, token.COMMENT, token.NEWLINE, token.INDENT, token.DEDENT})
_BLOCKS = ("def ", "class ", "async def ")


def completed(prompt: str, completion: str, *, ended: bool) -> str:
    """Give what was begun and what a model made of it, up to a sensible stop.

    That is the first statement which is no further in than the last ``def`` or ``class`` of the prompt, or the end of
    the completion. Where the model was stopped, rather than came to an end by itself, its last line is left out if it
    is not whole.

    Args:
        prompt: Python source that ends within a function, such as after its first line.
        completion: What the model wrote.
        ended: Whether it wrote the end token.

    Returns:
        The prompt's last function, from its first line on.
    """
    if not ended:
        completion = completion[: completion.rfind("\n") + 1]
    prompt, text = one_newline(prompt), one_newline(prompt + completion)
    begin, end = 0, len(text)
    level = None
    for each in _walk(text):
        if each.start < len(prompt):
            if each.opens_block:
                begin, level = each.start_of_line, each.depth
        elif level is not None and each.depth <= level and each.begins_statement:
            end = each.start_of_line
            break
    return text[begin:end]


def parses(source: str) -> bool:
    """Tell whether source parses; it may be indented as a whole. Nothing does not."""
    return parsed_part(source) is not None


@dataclass(frozen=True)
class _Token:
    """A token that says something.

    Args:
        start: Its first character.
        start_of_line: That of its line.
        depth: Number of blocks around it.
        begins_statement: Whether it is the first of one.
        opens_block: Whether it is the first of a function or a class.
    """

    start: int
    start_of_line: int
    depth: int
    begins_statement: bool
    opens_block: bool


def _walk(text: str) -> Iterator[_Token]:
    """Go through the tokens as far as the source can be cut into some."""
    lines = lines_of(text)
    starts, waiting = starts_of(lines), iter(lines)
    depth, begins = 0, True
    try:
        for each in tokenize.generate_tokens(lambda: next(waiting, "")):
            depth += (each.type == token.INDENT) - (each.type == token.DEDENT)
            begins |= each.type == token.NEWLINE
            if each.type in _SILENT or each.type == token.ENDMARKER:
                continue
            row, column = each.start
            opens = begins and lines[row - 1].startswith(_BLOCKS, column)
            yield _Token(starts[row - 1] + column, starts[row - 1], depth, begins, opens)
            begins = False
    except (tokenize.TokenError, SyntaxError):
        return
