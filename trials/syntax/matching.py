"""How much of a reference's syntax a piece of code has."""

import ast
from collections import Counter

from trials.syntax.parsing import parsed_part

_Shape = tuple[str, tuple[int, ...]]


def syntax_match(candidate: str, reference: str) -> float:
    """Count matched subtrees of the reference among all of them (CodeBLEU's syntax match, Ren et al., 2020).

    https://arxiv.org/abs/2009.10297, section 3.2. A subtree is a node with all below it; names and values of literals
    do not count, leaves are no subtrees of their own. As in the paper each subtree of the candidate is matched once;
    the authors' code lets it be matched again and again. Trees are Python's own, of which operators are nodes; what
    does not parse has none, where the authors' parser mends it.

    Args:
        candidate: Python source, which may be indented as a whole.
        reference: The same.

    Returns:
        From 0 to 1.

    Raises:
        ValueError: The reference does not parse, or is empty.
    """
    known: dict[_Shape, int] = {}
    wanted = _subtrees(reference, known)
    if not wanted:
        raise ValueError(f"the reference must be Python source that parses, got {reference[:80]!r}")
    return (_subtrees(candidate, known) & wanted).total() / wanted.total()


def _subtrees(source: str, known: dict[_Shape, int]) -> Counter[int]:
    """Count subtrees by number; equal ones have the number that ``known`` has for them, or gets."""
    tree = parsed_part(source)
    found: Counter[int] = Counter()
    if tree is None:
        return found
    numbers: dict[ast.AST, int] = {}
    for node in reversed(_nodes(tree)):  # Leaves first; without recursion, since sums of a thousand terms occur.
        below = tuple(numbers[each] for each in _children(node))
        numbers[node] = known.setdefault((type(node).__name__, below), len(known))
        if below:
            found[numbers[node]] += 1
    return found


def _nodes(tree: ast.AST) -> list[ast.AST]:
    nodes = [tree]
    for node in nodes:
        nodes += _children(node)  # The list grows as it is gone through.
    return nodes


def _children(node: ast.AST) -> list[ast.AST]:
    return [each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.expr_context)]
