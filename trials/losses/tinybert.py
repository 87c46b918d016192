"""Distillation of a transformer's layers: attention before its softmax, and hidden states.

Shape letters: K = teachers, B = batch, H = heads, T = positions, D = width.
"""

import torch
from torch import Tensor, nn

from teachers import Outputs
from trials.losses.adapters import StackedLinear, kind
from trials.losses.layers import LayerPair, names_of, parse_layers
from trials.losses.loss import Needs, Pairing

MASKED = -1e2
"""Scores from here on down are those of masked positions; they count as 0 on both sides."""


class TinyBERT(nn.Module):
    """Squared errors of attention scores and of hidden states (Jiao et al., 2020, equations 7 and 8).

    https://arxiv.org/abs/1909.10351

    As in the authors' code, one linear layer adapts the hidden states of all layers. Embeddings are compared if a
    feature shows them; the prediction layer is a term of its own, such as ``kd``.
    """

    def __init__(self, pairing: Pairing, *, attention: str = "attention_last", hidden: str = "last") -> None:
        """Make the linear layer.

        Args:
            pairing: Features of the layers.
            attention: Names of attentions without their part, or pairs ``student=teacher``; empty for none. The paper
                maps layer m of M to layer m · N / M of a teacher with N.
            hidden: Names of hidden states, or pairs ``student=teacher``; empty for none.

        Raises:
            ValueError: An option is malformed, or shapes do not fit.
        """
        super().__init__()
        self.attention, self.hidden = _pairs(attention, hidden)
        for pair in self.attention:
            shapes = (pairing.student.features[pair.student].shape, pairing.teacher.features[pair.teacher].shape[1:])
            if len(shapes[0]) != 4 or shapes[0] != shapes[1]:
                raise ValueError(
                    f"tinybert compares scores (B, heads, T, T) of the same heads and positions; {pair} has "
                    f"{tuple(shapes[0])} in the student, {tuple(shapes[1])} in the teacher"
                )
        self.linear: StackedLinear | None = None
        for pair in self.hidden:
            self._fit(pair, pairing)

    @staticmethod
    def needs(*, attention: str = "attention_last", hidden: str = "last") -> Needs:
        """Give the scores of attentions, and hidden states."""
        scores, states = _pairs(attention, hidden)
        return names_of((*scores, *states))

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Compare scores and hidden states; labels are not used.

        Returns:
            ``loss_KB``.
        """
        del label_B
        errors_KB = []
        for pair in self.attention:
            student_BHTT = _unmasked(student.features[pair.student])
            teacher_KBHTT = _unmasked(teacher.features[pair.teacher].detach())
            errors_KB.append((student_BHTT - teacher_KBHTT).square().flatten(2).mean(dim=2))
        for pair in self.hidden:
            assert self.linear is not None
            adapted_KBTD = self.linear(student.features[pair.student])
            difference_KBTD = adapted_KBTD - teacher.features[pair.teacher].detach()
            errors_KB.append(difference_KBTD.square().flatten(2).mean(dim=2))
        return torch.stack(errors_KB).sum(dim=0)

    def _fit(self, pair: LayerPair, pairing: Pairing) -> None:
        state, target = pairing.student.features[pair.student], pairing.teacher.features[pair.teacher]
        if state.ndim not in (2, 3) or state.shape[1:-1] != target.shape[2:-1]:
            raise ValueError(
                f"tinybert compares hidden states (T, D) of the same positions; {pair} is a {kind(state.shape[1:])} in "
                f"the student, a {kind(target.shape[2:])} in the teacher"
            )
        if self.linear is None:
            self.linear = StackedLinear(len(target), state.shape[-1], target.shape[-1])
        have, want = tuple(self.linear.weight.shape[:0:-1]), (state.shape[-1], target.shape[-1])
        if have != want:
            raise ValueError(
                f"tinybert adapts all hidden states by one linear layer, so all need the same widths; {pair} has "
                f"{want}, {self.hidden[0]} has {have} (student, teacher)"
            )


def _pairs(attention: str, hidden: str) -> tuple[tuple[LayerPair, ...], tuple[LayerPair, ...]]:
    if attention == hidden == "":
        raise ValueError("tinybert needs attention or hidden, got both empty")
    scores = parse_layers(attention, option="attention") if attention else ()
    with_part = tuple(LayerPair(f"{pair.student}.scores", f"{pair.teacher}.scores") for pair in scores)
    return with_part, parse_layers(hidden, option="hidden") if hidden else ()


def _unmasked(scores: Tensor) -> Tensor:
    return scores.masked_fill(scores <= MASKED, 0.0)
