"""Teachers that give the true label more probability count more.

Shape letters: K = teachers, B = batch, C = classes.
"""

import torch
from torch import Tensor

from teachers import MISSING_LABEL, TeacherEnsemble
from trials.weighting.weighting import known_log_probabilities


def confidence(
    logits_KBC: Tensor, label_B: Tensor, *, votes_KB: Tensor, fixed_K: Tensor, ensemble: TeacherEnsemble
) -> Tensor:
    """Weight by confidence in the label, w_k = (1 − softmax_k(CE_k)) / ((K − 1) K) (CA-MKD: Zhang et al., 2022).

    https://arxiv.org/abs/2201.00007, equation 3; the paper divides the loss by B, the authors' code by B · K. This
    follows the code, so the weights of a sample add up to 1 / K.

    CE_k is the cross-entropy of teacher k against the true label. K counts the teachers that vote on the sample; a
    teacher that votes alone has weight 1. Where a row has no label, all that vote count the same.
    """
    del fixed_K
    log_p_KBC = known_log_probabilities(logits_KBC, ensemble)
    index_KB1 = label_B.clamp(min=0)[None, :, None].expand(len(ensemble), -1, 1)
    loss_KB = -log_p_KBC.gather(-1, index_KB1).squeeze(-1)
    voters_B = votes_KB.sum(dim=0)
    share_KB = loss_KB.masked_fill(votes_KB == 0, -torch.inf).softmax(dim=0)
    weights_KB = (1 - share_KB) / (voters_B - 1).clamp(min=1)
    # Shares are not numbers on rows without a label or without a voter; the next two lines replace them.
    weights_KB = weights_KB.where(label_B != MISSING_LABEL, 1 / voters_B.clamp(min=1))
    weights_KB = weights_KB.where(voters_B > 1, 1.0)
    return votes_KB * weights_KB / voters_B.clamp(min=1)
