"""Weights that are learnt beside the student.

Shape letters: K = teachers, B = batch, C = classes, F = what is seen of each teacher.
"""

import torch
from torch import Tensor, nn

from teachers import MISSING_LABEL, TeacherEnsemble
from trials.weighting.weighting import LearntWeighting, known_log_probabilities

_NUM_SEEN = 3


class Learnt(LearntWeighting):
    """A gate that sees how sure each teacher is, and is taught by labels whom to believe.

    Teacher k scores a_k · f_k + b_k, f_k being the entropy of its prediction (as a share of that of even odds) and its
    two highest probabilities, whose difference is its lead; weights are the softmax over those that vote. So a teacher
    has weight for who it is, b, and for what its certainty is worth, a. All start at 0: even weights.

    The gate is trained on labelled rows by the cross entropy of the weighted mean of the teachers' probabilities, as
    the gate of a mixture of experts is (Jacobs et al., 1991, https://doi.org/10.1162/neco.1991.3.1.79), and by nothing
    else: the student's loss would draw it to the teacher that is easiest to imitate. Without any label it would stay
    as it starts.
    """

    def __init__(self, num_teachers: int) -> None:
        """Make a gate with even weights for K teachers."""
        super().__init__(num_teachers)
        self.worth_KF = nn.Parameter(torch.zeros(num_teachers, _NUM_SEEN))
        self.standing_K = nn.Parameter(torch.zeros(num_teachers))

    def forward(
        self, logits_KBC: Tensor, label_B: Tensor, *, votes_KB: Tensor, fixed_K: Tensor, ensemble: TeacherEnsemble
    ) -> Tensor:
        """Weigh the teachers; the weights of a sample add up to 1."""
        del label_B, fixed_K
        with torch.no_grad():
            seen_KBF = _certainty(logits_KBC, ensemble)
        score_KB = torch.baddbmm(self.standing_K[:, None, None], seen_KBF, self.worth_KF[..., None]).squeeze(-1)
        # Not −inf: a softmax over nobody would be no number, and so would its gradient.
        return score_KB.masked_fill(votes_KB == 0, -1e9).softmax(dim=0) * votes_KB

    def loss(self, weights_KB: Tensor, logits_KBC: Tensor, label_B: Tensor, ensemble: TeacherEnsemble) -> Tensor:
        """Give the mean cross entropy of the weighted mean of the probabilities, over rows with a label and a voter."""
        index_KB1 = label_B.clamp(min=0)[None, :, None].expand(len(ensemble), -1, 1)
        p_KB = known_log_probabilities(logits_KBC, ensemble).gather(-1, index_KB1).squeeze(-1).exp()
        judged_B = (label_B != MISSING_LABEL) & (weights_KB > 0).any(dim=0)
        loss_B = -(weights_KB * p_KB).sum(dim=0).clamp(min=1e-12).log()
        return (loss_B * judged_B).sum() / judged_B.sum().clamp(min=1)


def _certainty(logits_KBC: Tensor, ensemble: TeacherEnsemble) -> Tensor:
    log_p_KBC = known_log_probabilities(logits_KBC, ensemble)
    p_KBC = log_p_KBC.exp()
    # p log p is 0 for classes that a teacher does not know, where log p is −inf.
    entropy_KB = -(p_KBC * log_p_KBC.clamp(min=-1e4)).sum(dim=-1)
    most_K1 = ensemble.known_KC.sum(dim=1, keepdim=True).clamp(min=2).log()
    return torch.cat(((entropy_KB / most_K1)[..., None], p_KBC.topk(2, dim=-1).values), dim=-1)
