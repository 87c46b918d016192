"""Distillation of attention within the syntax: from each token to those that it shares its innermost node with.

Shape letters: K = teachers, B = batch, H = heads, T = positions.
"""

import torch
from torch import Tensor, nn

from teachers import Outputs
from trials.losses.layers import LayerPair, names_of, parse_layers
from trials.losses.loss import Needs, Pairing, fact_of
from trials.syntax import NO_PARENT, PARENT

_SMALLEST = 1e-6
"""Added to each weight: what a softmax rounds to 0 has no logarithm."""


class StructureAttention(nn.Module):
    """Divergence of attention among tokens that share a syntax parent.

    No public code does this; the formula is ours. Let S_t be the positions that t may see, itself among them, whose
    token has the same innermost statement or expression as that of t. Attention, averaged over heads, is restricted to
    S_t and brought to sum 1 there, p_t for a teacher and q_t for the student; the loss of a row is the mean of
    KL(p_t ‖ q_t) over the positions with two or more in S_t, and 0 if there is none. How much a position attends to
    what is outside of S_t stays the student's own affair. Numbers of heads may differ.
    """

    def __init__(self, pairing: Pairing, *, layers: str = "attention_last") -> None:
        """Check the shapes.

        Args:
            pairing: Attention weights of the layers.
            layers: Names of attentions without their part, or pairs ``student=teacher``; values of several are added.

        Raises:
            ValueError: The option is malformed, or positions of student and teacher differ.
        """
        super().__init__()
        self.pairs = _weights_of(layers)
        for pair in self.pairs:
            shapes = (pairing.student.features[pair.student].shape, pairing.teacher.features[pair.teacher].shape[1:])
            if any(len(shape) != 4 for shape in shapes) or shapes[0][2:] != shapes[1][2:]:
                raise ValueError(
                    f"structure_attention compares weights (B, heads, T, T) of the same positions; {pair} has "
                    f"{tuple(shapes[0])} in the student, {tuple(shapes[1])} in the teacher"
                )

    @staticmethod
    def needs(*, layers: str = "attention_last") -> Needs:
        """Give the attention weights of the layers, and the parents."""
        pairs = names_of(_weights_of(layers))
        return Needs(student=pairs.student, teacher=pairs.teacher, facts=(PARENT,))

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Compare attention; labels are not used.

        Returns:
            ``loss_KB``.
        """
        del label_B
        together_BTT = shared_parent(fact_of(student, PARENT))
        return torch.stack(
            [
                divergence_within(student.features[pair.student], teacher.features[pair.teacher], together_BTT)
                for pair in self.pairs
            ]
        ).sum(dim=0)


def shared_parent(parent_BT: Tensor) -> Tensor:
    """Tell of each two positions whether the later can see that the other has its parent: (B, T, T), causal."""
    same_BTT = parent_BT[:, :, None] == parent_BT[:, None, :]
    return (same_BTT & (parent_BT != NO_PARENT)[:, :, None]).tril()


def divergence_within(student_BHTT: Tensor, teacher_KBHTT: Tensor, together_BTT: Tensor) -> Tensor:
    """Compare attention restricted to chosen pairs, as ``StructureAttention`` does.

    Args:
        student_BHTT: Weights, rows summing to 1.
        teacher_KBHTT: Of teachers, with any number of heads; no gradient flows into them.
        together_BTT: Pairs that count.

    Returns:
        ``loss_KB``.
    """
    student_BTT = _restricted(student_BHTT.mean(dim=-3), together_BTT)
    teacher_KBTT = _restricted(teacher_KBHTT.detach().mean(dim=-3), together_BTT)
    logarithms_KBTT = (teacher_KBTT.log() - student_BTT.log()).masked_fill(~together_BTT, 0.0)
    divergence_KBT = (teacher_KBTT * logarithms_KBTT).sum(dim=-1)
    counted_BT = together_BTT.sum(dim=-1) > 1
    return (divergence_KBT * counted_BT).sum(dim=-1) / counted_BT.sum(dim=-1).clamp(min=1)


def _restricted(weights_BTT: Tensor, together_BTT: Tensor) -> Tensor:
    """Bring the chosen weights of each row to sum 1; all others become 1, whose logarithm is 0."""
    chosen_BTT = (weights_BTT + _SMALLEST) * together_BTT
    share_BTT = chosen_BTT / chosen_BTT.sum(dim=-1, keepdim=True).clamp(min=_SMALLEST)
    return share_BTT.masked_fill(~together_BTT, 1.0)


def _weights_of(layers: str) -> tuple[LayerPair, ...]:
    return tuple(LayerPair(f"{pair.student}.weights", f"{pair.teacher}.weights") for pair in parse_layers(layers))
