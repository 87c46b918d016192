"""Functions of Python source, begun and whole: what a model is asked to complete, and what it can be held against."""

import ast
from dataclasses import dataclass

from trials.syntax.lines import lines_of, one_newline, starts_of
from trials.syntax.parsing import parsed


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of a document.

    Args:
        prompt: The document up to the colon before the function's body. What follows begins with a line break, since
            tokens join that with the indent after it.
        body: What follows in the document, to the end of the function.
        whole: The function, from ``def`` on, as ``completed`` gives one.
    """

    prompt: str
    body: str
    whole: str


def functions_of(text: str) -> list[Function]:
    """Find the functions whose body begins on a line of its own, in the order of the text.

    Args:
        text: Python source; one that does not parse has none.
    """
    text = one_newline(text)
    tree = parsed(text)
    if tree is None:
        return []
    starts = starts_of(lines_of(text))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = []
    for node in sorted(nodes, key=lambda node: node.lineno):
        begin, body = starts[node.lineno - 1], starts[_first_line(node.body[0]) - 1]
        assert node.end_lineno is not None
        end = starts[node.end_lineno] if node.end_lineno < len(starts) else len(text)
        head = text[:body].rstrip()
        if head.endswith(":") and len(head) > begin:
            found.append(Function(prompt=head, body=text[len(head) : end], whole=text[begin:end]))
    return found


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])
