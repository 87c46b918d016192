"""Teachers are weighed so that none pulls the student against the others.

Shape letters: K = teachers, B = batch, C = classes, D = numbers of a gradient.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from teachers import Outputs, TeacherOutputs
from trials.aggregation.aggregation import Traits, with_traits
from trials.aggregation.comparison import Comparison, weighted_losses
from trials.aggregation.smallest_combination import smallest_combination
from trials.losses import is_batch_statistic

LARGEST_SHARE = 0.6
"""C of the paper, the most that one teacher may count; 1 where there is one alone."""


def _of_each(
    comparisons: Sequence[Comparison], student: Outputs, teachers: TeacherOutputs, label_B: Tensor, weights_KB: Tensor
) -> Tensor:
    with torch.enable_grad():
        # The same logits for each teacher, so that one pass back gives the gradient of each loss by itself.
        logits_KBC = student.logits.expand(len(weights_KB), *student.logits.shape)
        if not logits_KBC.requires_grad:
            logits_KBC = logits_KBC.detach().requires_grad_()
        loss_KB = weighted_losses(comparisons, Outputs(logits=logits_KBC), teachers, label_B, weights_KB)
        (gradient_KBC,) = torch.autograd.grad(loss_KB.sum(), logits_KBC, retain_graph=True)
    votes_K = (weights_KB > 0).any(dim=1)
    over_batch = any(is_batch_statistic(comparison.loss) for comparison in comparisons)
    gradient_KD = gradient_KBC.flatten(1) if over_batch else gradient_KBC.mean(dim=1)
    return _scales(gradient_KD, votes_K)[:, None] * loss_KB


def _scales(gradient_KD: Tensor, votes_K: Tensor) -> Tensor:
    """Give α_k times the number of teachers who vote in this batch; 0 for the others."""
    voters = votes_K.nonzero().squeeze(-1)
    scales_K = torch.zeros_like(gradient_KD[:, 0])
    if not len(voters):
        return scales_K
    voiced = gradient_KD[voters].double()
    shares = smallest_combination((voiced @ voiced.T).cpu().numpy(), at_most=max(LARGEST_SHARE, 1 / len(voters)))
    scales_K[voters] = len(voters) * torch.from_numpy(shares).to(scales_K)
    return scales_K


@with_traits(Traits(of_each=_of_each))
def aekd(
    comparisons: Sequence[Comparison],
    student: Outputs,
    teachers: TeacherOutputs,
    label_B: Tensor,
    *,
    weights_KB: Tensor,
    temperature: float,
) -> Tensor:
    """Sum of the losses, Σ_k α_k loss_k, along the direction on which teachers agree (AE-KD: Du et al., 2020).

    https://proceedings.neurips.cc/paper/2020/hash/91c77393975889bd08f301c9e13a44b7-Abstract.html

    α minimises ½ ‖Σ_k α_k g_k‖² over Σ_k α_k = 1, 0 ≤ α_k ≤ ``LARGEST_SHARE``, g_k being the mean over the batch of
    the gradient of teacher k's loss with respect to the student's logits. No gradient flows through α. Teachers who
    say the same share alike.

    The paper knows no statistics of the batch. The gradient of one is that with respect to the whole batch: its mean
    over samples is 0 wherever only differences between them count, as in RKD, and α would come from rounding.

    It knows no weights of samples either. Here loss_k is K w_k loss, K the number of teachers who vote in the batch:
    with even weights on all samples this is the paper's.
    """
    del temperature
    return _of_each(comparisons, student, teachers, label_B, weights_KB).sum(dim=0)
