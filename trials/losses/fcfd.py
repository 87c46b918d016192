"""Distillation of features by what later layers make of them.

Shape letters: K = teachers, B = batch, C = classes or channels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from teachers import Outputs
from trials.losses.bridges import Bridge
from trials.losses.kd import kd
from trials.losses.layers import LayerPair, names_of, parse_layers
from trials.losses.loss import Needs, Pairing
from trials.losses.running import can_idle, run_from


class _Crossing(NamedTuple):
    """Where a mixed path goes over from one model to the other: behind which layer, and whether to the teacher."""

    layer: int
    to_teacher: bool


class FunctionConsistent(nn.Module):
    """Features must resemble the teacher's and be of the same use to later layers (FCFD: Liu et al., 2023).

    https://arxiv.org/abs/2304.11832, equations 2 to 8.

    Bridges, learnt along, lead from the student's features to the teacher's space and back. Mixed paths run one model
    up to a layer and the other from there on; some are drawn for each step. What is compared: features in the teacher's
    space, bridged and on mixed paths, and the logits of mixed paths. Beside it belong ``hard_label`` with weight 1 and
    ``kd`` with weight 1 and temperature 4; this term has weight 1.

    The weight of features rises over ``feature_warmup`` epochs, that of mixed paths' logits does not, unlike with the
    recipe's ``warmup_epochs``, which are the whole term's.

    Where this leaves the authors' code: teachers stay in evaluation mode. Whether a bridge ends in a leaky ReLU is read
    from the features, which then have no negative value. A run of the student on a mixed path leaves no trace in the
    running statistics of its batch normalisation.
    """

    def __init__(
        self,
        pairing: Pairing,
        *,
        layers: str = "stage1, last",
        temperature: float = 4.0,
        feature_weight: float = 5.0,
        paths: int = 2,
        feature_warmup: int = 0,
    ) -> None:
        """Make the bridges.

        Args:
            pairing: Features of the layers, with the models and the paths of the modules that give them.
            layers: At least two names of features, or pairs ``student=teacher``, from input to output. Paths cross
                behind each but the last.
            temperature: Of the mixed paths' logits, above 0.
            feature_weight: Of the features against these logits; the authors take 5, and 0.02 for narrow networks.
            paths: Mixed paths a step, drawn without replacement; at least 0.
            feature_warmup: Epochs over which the weight of features rises, in equal steps; the authors take 20 of 240.

        Raises:
            ValueError: An option is malformed, or models or features do not fit.
        """
        super().__init__()
        self.needs(
            layers=layers,
            temperature=temperature,
            feature_weight=feature_weight,
            paths=paths,
            feature_warmup=feature_warmup,
        )
        if not pairing.knows_all:
            raise ValueError(
                "fcfd runs student and teachers through each other, so it needs teachers that know all classes of the "
                "data, got one that knows some; take another loss on features, such as hint, or other teachers"
            )
        self.feature_warmup = feature_warmup
        self.epoch: int | None = None
        self.pairs = parse_layers(layers)
        self.temperature, self.feature_weight, self.num_paths = temperature, feature_weight, paths
        self.crossings = [_Crossing(i, to) for to in (True, False) for i in range(len(self.pairs) - 1)]
        self.to_teacher, self.to_student, self.dims = nn.ModuleList(), nn.ModuleList(), list[tuple[int, ...]]()
        for pair in self.pairs:
            student, teacher = _features(pair, pairing)
            self.dims.append(tuple(range(2 - teacher.ndim, 0)))
            self.to_teacher.append(Bridge(student, teacher, separate=False))
            if pair is not self.pairs[-1]:
                self.to_student.append(Bridge(teacher, student, separate=True))
        self._keep_models(pairing)

    @staticmethod
    def needs(
        *,
        layers: str = "stage1, last",
        temperature: float = 4.0,
        feature_weight: float = 5.0,
        paths: int = 2,
        feature_warmup: int = 0,
    ) -> Needs:
        """Give the layers' features, the raw batch, and the models."""
        pairs = parse_layers(layers)
        if len(pairs) < 2:
            raise ValueError(f"fcfd needs at least two layers, so that a path can cross between them, got {layers!r}")
        if pooled := sorted({name for pair in pairs for name in pair if "." in name}):
            raise ValueError(
                f"fcfd runs models from a layer on, so it needs what the layer gives, not a part: {', '.join(pooled)}"
            )
        if not isinstance(feature_warmup, int) or feature_warmup < 0:
            raise ValueError(f"feature_warmup must be a whole number of epochs, at least 0, got {feature_warmup!r}")
        numbers = isinstance(temperature, int | float) and isinstance(feature_weight, int | float)
        if not numbers or not temperature > 0 or not feature_weight >= 0 or not isinstance(paths, int) or paths < 0:
            raise ValueError(
                "fcfd needs a temperature above 0, a feature_weight of at least 0 and a whole number of paths, at "
                f"least 0; got {temperature!r}, {feature_weight!r} and {paths!r}"
            )
        names = names_of(pairs)
        return Needs(student=(*names.student, "inputs"), teacher=names.teacher, models=True)

    def forward(self, student: Outputs, teacher: Outputs, label_B: Tensor) -> Tensor:
        """Compare features and mixed paths; labels are not used.

        Returns:
            ``loss_KB``.
        """
        targets = [teacher.features[pair.teacher].detach() for pair in self.pairs]
        bridged = [
            bridge(student.features[pair.student]) for bridge, pair in zip(self.to_teacher, self.pairs, strict=True)
        ]
        errors = [self._error(layer, values, targets[layer]) for layer, values in enumerate(bridged)]
        error_KB = torch.stack(errors).sum(dim=0)
        mixed_KB = torch.zeros_like(error_KB)
        inputs = student.features["inputs"]
        for crossing in self._drawn():
            if crossing.to_teacher:
                logits_KBC, errors_KB = self._through_teachers(inputs, crossing.layer, bridged[crossing.layer], targets)
                error_KB = error_KB + errors_KB
            else:
                logits_KBC = self._through_student(inputs, crossing.layer, targets[crossing.layer])
            mixed_KB = mixed_KB + kd(Outputs(logits=logits_KBC), teacher, label_B, temperature=self.temperature)
        return self.feature_weight * self._risen() * error_KB + mixed_KB

    def _risen(self) -> float:
        """Say which share of the weight of features holds in this epoch."""
        if self.epoch is None or not self.feature_warmup:
            return 1.0
        return min(1.0, self.epoch / self.feature_warmup)

    def _drawn(self) -> list[_Crossing]:
        if self.num_paths >= len(self.crossings):
            return self.crossings
        return [self.crossings[i] for i in torch.randperm(len(self.crossings))[: self.num_paths].tolist()]

    def _through_teachers(
        self, inputs: Tensor, layer: int, bridged: Tensor, targets: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Run each teacher from a layer on; gives logits (K, B, C), and the errors of later features (K, B)."""
        later = range(layer + 1, len(self.pairs))
        logits, errors = [], []
        for k, (module, preprocessing, own_paths) in enumerate(self.teachers):
            paths = [own_paths[pair.teacher] for pair in self.pairs]
            ready = inputs if preprocessing is None else preprocessing(inputs)
            answer, kept = run_from(
                module,
                ready,
                path=paths[layer],
                features=bridged[k],
                keep={paths[j] for j in later},
                idle=paths[layer] in self.idle_teachers[k],
            )
            logits.append(answer)
            errors.append(torch.stack([self._error(j, kept[paths[j]], targets[j][k]) for j in later]).sum(dim=0))
        return torch.stack(logits), torch.stack(errors)

    def _through_student(self, inputs: Tensor, layer: int, features: Tensor) -> Tensor:
        """Run the student from a layer on, once for each teacher's features; gives logits (K, B, C)."""
        path = self.student_paths[self.pairs[layer].student]
        bridged = self.to_student[layer](features)
        # One run for all would normalise the teachers' batches by each other's statistics.
        idle = path in self.idle_student
        answers = [run_from(self.student[0], inputs, path=path, features=each, idle=idle) for each in bridged]
        return torch.stack([logits for logits, _ in answers])

    def _error(self, layer: int, features: Tensor, target: Tensor) -> Tensor:
        """Give the mean squared error of each sample (..., B); of the last maps also that of what a classifier sees."""
        dims = self.dims[layer]
        error = (features - target).square().mean(dim=dims)
        if layer == len(self.pairs) - 1 and len(dims) == 3:
            seen = features.relu().mean(dim=dims[1:]) - target.relu().mean(dim=dims[1:])
            error = error + seen.square().mean(dim=-1)
        return error

    def _keep_models(self, pairing: Pairing) -> None:
        classes = (pairing.student.logits.shape[-1], pairing.teacher.logits.shape[-1])
        if classes[0] != classes[1]:
            raise ValueError(
                f"fcfd needs teachers that know all classes, since mixed paths end in either model; the student has "
                f"{classes[0]}, the teachers {classes[1]}"
            )
        modules = [teacher.module for teacher in pairing.teacher_models if teacher.module is not None]
        if len(modules) < len(pairing.teacher_models):
            raise ValueError("fcfd runs the teachers' modules from a layer on; one teacher is no torch module")
        preprocessings = [teacher.preprocessing for teacher in pairing.teacher_models]
        # In tuples, so that the models' parameters are not taken for learnt parts of the loss.
        self.student = (pairing.student_model,)
        self.teachers = tuple(zip(modules, preprocessings, pairing.teacher_paths, strict=True))
        self.student_paths = pairing.student_paths
        self._find_idle(pairing)

    def _find_idle(self, pairing: Pairing) -> None:
        """Find the layers that need not run where a path crosses over behind them, of the student and each teacher."""
        inputs = pairing.student.features["inputs"]
        self.idle_student: set[str] = set()
        self.idle_teachers: list[set[str]] = [set() for _ in self.teachers]
        for layer, pair in enumerate(self.pairs[:-1]):
            path, features = self.student_paths[pair.student], pairing.student.features[pair.student]
            if can_idle(self.student[0], inputs, path=path, features=features):
                self.idle_student.add(path)
            for k, (module, preprocessing, paths) in enumerate(self.teachers):
                ready = inputs if preprocessing is None else preprocessing(inputs)
                path, features = paths[pair.teacher], pairing.teacher.features[pair.teacher][k]
                later = {paths[each.teacher] for each in self.pairs[layer + 1 :]}
                if can_idle(module, ready, path=path, features=features, keep=later):
                    self.idle_teachers[k].add(path)


def _features(pair: LayerPair, pairing: Pairing) -> tuple[Tensor, Tensor]:
    """Give examples of both sides, each (K, B, ...)."""
    student, teacher = pairing.student.features[pair.student], pairing.teacher.features[pair.teacher]
    if student.ndim + 1 != teacher.ndim or student.ndim not in (2, 4):
        raise ValueError(
            f"fcfd needs feature maps (C, H, W) on both sides, or vectors (D) on both; {pair} has "
            f"{tuple(student.shape[1:])} in the student, {tuple(teacher.shape[2:])} in the teacher"
        )
    return student.expand(len(teacher), *student.shape), teacher
