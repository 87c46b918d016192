"""A linear head fitted to embeddings: multinomial logistic regression.

Shape letters: N = rows, D = width of an embedding, C = classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

PENALTIES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""From the strongest to the weakest; the embeddings have length 1, so that these mean the same for any of them."""

_HELD_OUT = 0.2
_FEWEST = 20
"""Rows below which none are held out, and the middle penalty is taken."""
_STEPS = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """Turns embeddings into logits.

    Args:
        weight: (C, D), float32.
        bias: (C,), float32.
        penalty: With which it was fitted.
    """

    weight: Tensor
    bias: Tensor
    penalty: float = 0.0

    def __call__(self, embedding_BD: Tensor) -> Tensor:
        """Give logits (B, C)."""
        return nn.functional.linear(embedding_BD, self.weight, self.bias)


def fit_head(embedding_ND: Tensor, label_N: Tensor, *, num_classes: int, seed: int) -> Head:
    """Fit a head.

    It minimises the mean cross-entropy plus half the penalty times the squared length of weights and biases, which is
    strictly convex: there is one solution, and L-BFGS in float64 finds it. The penalty is the one with the least
    cross-entropy on a fifth of the rows, held out; then all rows are fitted.

    Args:
        embedding_ND: One a row.
        label_N: Classes, from 0.
        num_classes: C; a class without rows gets a head that says no.
        seed: Decides which rows are held out.

    Raises:
        ValueError: All rows are of one class.
    """
    if int(label_N.min()) == int(label_N.max()):
        raise ValueError(
            f"a head needs rows of at least two classes to be fitted, the {len(label_N)} rows that the teacher covers "
            "are of one"
        )
    embedding_ND = embedding_ND.double()
    if len(label_N) < _FEWEST:
        penalty = PENALTIES[len(PENALTIES) // 2]
        return _head(_fitted(embedding_ND, label_N, _start(embedding_ND, num_classes), penalty), penalty)
    order = torch.randperm(len(label_N), generator=torch.Generator().manual_seed(seed))
    held, rest = order.tensor_split([int(_HELD_OUT * len(order))])
    best, penalty, parameters = float("inf"), PENALTIES[0], _start(embedding_ND, num_classes)
    for weaker in PENALTIES:
        parameters = _fitted(embedding_ND[rest], label_N[rest], parameters, weaker)
        loss = float(_cross_entropy(embedding_ND[held], label_N[held], parameters))
        if loss >= best:  # Weaker ones fit the rest still closer.
            break
        best, penalty = loss, weaker
    return _head(_fitted(embedding_ND, label_N, _start(embedding_ND, num_classes), penalty), penalty)


def _start(embedding_ND: Tensor, num_classes: int) -> Tensor:
    """Give weights and, in the last column, biases of 0: (C, D + 1)."""
    return torch.zeros(num_classes, embedding_ND.shape[1] + 1, dtype=torch.float64)


def _fitted(embedding_ND: Tensor, label_N: Tensor, start: Tensor, penalty: float) -> Tensor:
    parameters = start.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS(
        [parameters], max_iter=_STEPS, tolerance_grad=1e-7, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = _cross_entropy(embedding_ND, label_N, parameters) + penalty / 2 * parameters.square().sum()
        loss.backward()  # type: ignore[no-untyped-call] # PyTorch's own
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call] # PyTorch's own
    return parameters.detach()


def _cross_entropy(embedding_ND: Tensor, label_N: Tensor, parameters: Tensor) -> Tensor:
    logits_NC = nn.functional.linear(embedding_ND, parameters[:, :-1], parameters[:, -1])
    return nn.functional.cross_entropy(logits_NC, label_N)


def _head(parameters: Tensor, penalty: float) -> Head:
    weight_CD, bias_C = parameters[:, :-1].float().contiguous(), parameters[:, -1].float().contiguous()
    return Head(weight=weight_CD, bias=bias_C, penalty=penalty)
