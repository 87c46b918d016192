"""Sure teachers count more.

Shape letters: K = teachers, B = batch, C = classes.
"""

from torch import Tensor

from teachers import TeacherEnsemble
from trials.weighting.weighting import known_log_probabilities


def entropy(
    logits_KBC: Tensor, label_B: Tensor, *, votes_KB: Tensor, fixed_K: Tensor, ensemble: TeacherEnsemble
) -> Tensor:
    """Weight by entropy, w_k = (1 − H_k / Σ_j H_j) / K (EBKD: Kwon et al., 2020, equations 3 and 4).

    https://arxiv.org/abs/1909.10754

    H_k is the entropy of teacher k's prediction at temperature 1, in nats, over the classes that it knows. K counts the
    teachers that vote on the sample; a teacher that votes alone has weight 1. The weights of K > 1 teachers add up to
    (K − 1) / K, as in the authors' code.
    """
    del label_B, fixed_K
    log_p_KBC = known_log_probabilities(logits_KBC, ensemble)
    # p log p is 0 for classes that a teacher does not know, where log p is −inf.
    entropy_KB = -(log_p_KBC.exp() * log_p_KBC.clamp(min=-1e4)).sum(dim=-1)
    # No entropy is quite 0, so that teachers who are all perfectly sure share as equals do.
    entropy_KB = entropy_KB.clamp(min=1e-12) * votes_KB
    voters_B = votes_KB.sum(dim=0)
    weights_KB = 1 - entropy_KB / entropy_KB.sum(dim=0).clamp(min=1e-12)
    weights_KB = weights_KB.where(voters_B > 1, 1.0)
    return votes_KB * weights_KB / voters_B.clamp(min=1)
