"""Untrained students scored, all by the same batch."""

from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import Tensor

from search_spaces import StudentSpec
from trials.heads import build_student
from trials.placing import random_state_kept
from trials.proxies.params import params
from trials.proxies.naswot import naswot
from trials.proxies.proxy import Proxy, ProxyBatch
from trials.proxies.relations import relations
from trials.proxies.synflow import synflow
from trials.setting import Setting

PROXIES: dict[str, Proxy] = {"params": params, "synflow": synflow, "naswot": naswot, "relations": relations}
"""Scores of untrained students by name."""

BASELINE = "params"
"""The score that any other has to beat."""

ROWS = 64
"""Rows of the batch, at most."""


class Scorer:
    """Scores untrained students.

    Args:
        setting: Builds them, and holds the rows and the teachers.
        seed: Of their weights, as they are trained from, and of the rows.
        weights: Of teachers, by name; those without one count 1.
    """

    def __init__(self, setting: Setting, *, seed: int, weights: Mapping[str, float] | None = None) -> None:
        self._setting = setting
        self._seed = seed
        train = setting.dataset.splits["train"]
        chosen = np.random.default_rng(seed).choice(train, size=min(ROWS, len(train)), replace=False)
        batch = setting.dataset.batch(np.sort(chosen), setting.dataset.student_labels)
        if not isinstance(batch.inputs, Tensor):
            raise ValueError("proxies run students on tensors, and the data is texts")
        self._inputs = batch.inputs
        self._teachers: dict[str, Tensor] = {}
        if setting.ensemble is not None and setting.teachers is not None:
            ensemble = setting.ensemble
            self._teachers = {
                "logits_KBC": setting.teachers(batch).logits,
                "votes_KB": ensemble.votes(batch),
                "known_KC": ensemble.known_KC,
                "weight_K": torch.tensor([(weights or {}).get(name, 1.0) for name in ensemble.names]),
            }

    def __call__(self, spec: StudentSpec, names: Collection[str] = tuple(PROXIES)) -> dict[str, float]:
        """Score one student.

        Args:
            spec: Its architecture.
            names: Of the scores.

        Returns:
            Scores by name; without those that such a student has not.
        """
        found: dict[str, float] = {}
        with random_state_kept(torch.device("cpu")):
            torch.manual_seed(self._seed)
            student = build_student(
                self._setting.space,
                spec,
                signature=self._setting.task.signature(self._setting.dataset),
                statistics=self._setting.statistics,
            )
            inputs = self._inputs if student.preprocess is None else student.preprocess(self._inputs)
            batch = ProxyBatch(inputs=inputs, **self._teachers)
            for name in names:
                try:
                    found[name] = PROXIES[name](student.body, batch)
                except ValueError:  # It has no such score; what is left out is told by whoever compares.
                    continue
        return found
