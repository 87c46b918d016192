"""Tokens weighed by their syntax role: a transform that any loss of single tokens can be wrapped in.

Shape letters: B = tokens, C = vocabulary; further dimensions, such as K teachers, may stand in front of B.
"""

import functools
import inspect
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from teachers import Outputs
from trials.losses.loss import with_token_weights
from trials.losses.options import Bounds, bounded
from trials.syntax import NEXT_ROLE, ROLES

STRUCTURE = 2.0
"""Weight of what makes the structure, as it stands; that of names, literals and comments is 1."""


def syntax_weights(
    facts: Mapping[str, Tensor],
    *,
    keyword: float = STRUCTURE,
    operator: float = STRUCTURE,
    bracket: float = STRUCTURE,
    indent: float = STRUCTURE,
    identifier: float = 1.0,
    literal: float = 1.0,
    comment: float = 1.0,
) -> Tensor:
    """Give the weight of each token, by the role of the one that is learnt.

    Args:
        facts: ``NEXT_ROLE`` (B,), numbers of ``trials.syntax.ROLES``; any other, as of the end of a document, weighs 1.
        keyword: Weight of a role, as are the others; at least 0.
        operator: As above; commas, colons and dots are operators too.
        bracket: As above.
        indent: As above; of line breaks too.
        identifier: As above.
        literal: As above.
        comment: As above; of docstrings too.

    Returns:
        ``weight_B``.
    """
    role_B = facts[NEXT_ROLE]
    by_role = {
        "keyword": keyword,
        "operator": operator,
        "bracket": bracket,
        "indent": indent,
        "identifier": identifier,
        "literal": literal,
        "comment": comment,
    }
    weights = torch.tensor([*(by_role[role] for role in ROLES), 1.0], device=role_B.device)
    known_B = (role_B >= 0) & (role_B < len(ROLES))
    return weights[torch.where(known_B, role_B, len(ROLES)).long()]


def syntax_aware(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let tokens count by their syntax role: Σ_t w_t L_t / Σ_t w_t, with w_t by the role of token t.

    No public code does this; the formula is ours. The loss itself stays as it is: whoever takes the mean over the
    tokens of a batch weighs them, as the mark ``with_token_weights`` says.

    Args:
        loss: A function with a value for each token.

    Returns:
        A loss with the same options, and the weight of each role as an option of its name.
    """
    roles = {name: each for name, each in inspect.signature(syntax_weights).parameters.items() if name != "facts"}

    @functools.wraps(loss)
    def wrapped(student: Outputs, teacher: Outputs, label_B: Tensor, **options: float) -> Tensor:
        own = {name: value for name, value in options.items() if name not in roles}
        return loss(student, teacher, label_B, **own)

    signature = inspect.signature(loss)
    wrapped.__signature__ = signature.replace(  # type: ignore[attr-defined] # functions take attributes
        parameters=[*signature.parameters.values(), *roles.values()]
    )
    limits = {**getattr(loss, "option_bounds", {}), **dict.fromkeys(roles, Bounds())}
    return with_token_weights(bounded(**limits)(wrapped), syntax_weights, facts=(NEXT_ROLE,), options=tuple(roles))
