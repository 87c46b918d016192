"""Syntax of Python source: what each token is and what holds it, what parses, and how alike two pieces are."""

from trials.syntax.completing import completed, parses
from trials.syntax.functions import Function, functions_of
from trials.syntax.matching import syntax_match
from trials.syntax.parents import NO_PARENT, PARENT, parents_of
from trials.syntax.parsing import parses_so_far
from trials.syntax.roles import NEXT_ROLE, ROLE, ROLES, roles_of
from trials.syntax.spans import facts_of_tokens

__all__ = [
    "NEXT_ROLE",
    "NO_PARENT",
    "PARENT",
    "ROLE",
    "ROLES",
    "Function",
    "completed",
    "facts_of_tokens",
    "functions_of",
    "parents_of",
    "parses",
    "parses_so_far",
    "roles_of",
    "syntax_match",
]
