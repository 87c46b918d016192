"""The feature term of confidence-aware distillation from several teachers.

Shape letters: K = teachers, B = batch, C = classes, D = width of the classifier's input.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from teachers import MISSING_LABEL, Outputs
from trials.losses.adapters import MapAdapter, kind, pooled
from trials.losses.adapting import make_adapter
from trials.losses.layers import names_of, parse_layers
from trials.losses.loss import Needs, Pairing, compares_teachers


@compares_teachers
class ConfidenceAwareFeatures(nn.Module):
    """Squared error to features of teachers, more of those whose classifier makes sense of the student's features.

    CA-MKD (Zhang et al., 2022, equations 7 to 9), https://arxiv.org/abs/2201.00007; the weight is 50 there, from the
    second epoch on.

    The student's features, adapted to teacher k, go through k's own classifier. Its cross-entropy CE_k against the
    label gives the weight (1 − softmax_k(CE_k)) / (K − 1), which is learnt from as well; a sample's add up to 1. The
    authors' code divides by B · K: with teachers that count the same, the mean of what this returns is its value. K
    counts the teachers that vote on the sample and are compared at once, those with features of one shape; one that
    votes alone has weight 1, and others have weight 0, and no part in the softmax. Where a row has no label, all that
    vote have weight 1 / K. The classifier is taken to be a mean over positions and the teacher's last ``nn.Linear``.
    """

    weight_KCD: Tensor
    bias_KC: Tensor

    def __init__(self, pairing: Pairing, *, layers: str = "last") -> None:
        """Make the adapters, and copy the classifiers.

        Args:
            pairing: Features before the classifier, and the teachers' modules.
            layers: Name of a feature, or one pair ``student=teacher``.

        Raises:
            ValueError: ``layers`` names several pairs, features cannot be compared, or a teacher has no classifier that
                takes its features to the classes.
        """
        super().__init__()
        self.needs(layers=layers)
        (self.pair,) = parse_layers(layers)
        source = pairing.student.features[self.pair.student].shape[1:]
        target = pairing.teacher.features[self.pair.teacher].shape[2:]
        num_teachers = len(pairing.teacher_models)
        self.adapter: nn.Module
        if len(source) == len(target) == 3:
            self.adapter = MapAdapter(source, target, num_teachers=num_teachers, strided=False)
        else:
            self.adapter = make_adapter(source, target, num_teachers=num_teachers)
        classifiers = [_classifier(teacher.module) for teacher in pairing.teacher_models]
        width, classes = target[0] if len(target) == 3 else target[-1], pairing.student.logits.shape[-1]
        for classifier in classifiers:
            if (classifier.in_features, classifier.out_features) != (width, classes):
                raise ValueError(
                    f"ca_mkd_feature needs teachers whose last nn.Linear takes {self.pair.teacher}, a {kind(target)} "
                    f"averaged over its positions, to the {classes} classes of the student, so {width} to {classes}; "
                    f"one takes {classifier.in_features} to {classifier.out_features}. Name the layer before the "
                    "classifier, and only teachers that know all classes"
                )
        weights: list[Tensor] = [each.weight for each in classifiers]
        biases: list[Tensor] = [
            each.weight.new_zeros(classes) if each.bias is None else each.bias for each in classifiers
        ]
        self.register_buffer("weight_KCD", torch.stack(weights).detach(), persistent=False)
        self.register_buffer("bias_KC", torch.stack(biases).detach(), persistent=False)

    @staticmethod
    def needs(*, layers: str = "last") -> Needs:
        """Give the layer's feature; classifiers are read from the teachers' modules."""
        pairs = parse_layers(layers)
        if len(pairs) != 1:
            raise ValueError(f"ca_mkd_feature compares one pair of layers, got {len(pairs)} in {layers!r}")
        names = names_of(pairs)
        return Needs(student=names.student, teacher=names.teacher, models=True)

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor, *, votes_KB: Tensor | None = None) -> Tensor:
        """Compare features.

        Args:
            student: With the layer's feature.
            teacher: With theirs.
            label_B: ``MISSING_LABEL`` where unknown.
            votes_KB: True where a teacher votes; None where all do.

        Returns:
            ``loss_KB``, each teacher's error times its weight.
        """
        adapted: Tensor = self.adapter(student.features[self.pair.student])
        difference = adapted - teacher.features[self.pair.teacher].detach()
        error_KB = difference.square().flatten(2).mean(dim=2)
        if votes_KB is None:
            votes_KB = torch.ones_like(error_KB, dtype=torch.bool)
        return self._weights(adapted, label_B, votes_KB) * error_KB

    def _weights(self, adapted: Tensor, label_B: Tensor, votes_KB: Tensor) -> Tensor:
        if len(adapted) == 1:
            return votes_KB.to(adapted.dtype)
        pooled_KBD = pooled(adapted.flatten(0, 1)).reshape(*adapted.shape[:2], -1)
        logits_KBC = torch.baddbmm(self.bias_KC[:, None], pooled_KBD, self.weight_KCD.transpose(1, 2))
        entropy_KB = functional.cross_entropy(
            logits_KBC.permute(1, 2, 0), label_B[:, None].expand(-1, len(adapted)), reduction="none"
        ).T
        voters_B = votes_KB.sum(dim=0)
        # Not where nobody votes: a softmax over nobody would be no number, and so would its gradient.
        unheard_KB = ~votes_KB & (voters_B > 0)
        share_KB = entropy_KB.masked_fill(unheard_KB, -torch.inf).softmax(dim=0)
        weights_KB = (1 - share_KB) / (voters_B - 1).clamp(min=1)
        weights_KB = weights_KB.where(label_B != MISSING_LABEL, 1 / voters_B.clamp(min=1))
        return votes_KB * weights_KB.where(voters_B > 1, 1.0)


def _classifier(module: nn.Module | None) -> nn.Linear:
    linears = [] if module is None else [each for each in module.modules() if isinstance(each, nn.Linear)]
    if not linears:
        found = "a model that is no torch module" if module is None else f"{type(module).__name__} without any"
        raise ValueError(f"ca_mkd_feature needs teachers that end in an nn.Linear, their classifier; got {found}")
    return linears[-1]
