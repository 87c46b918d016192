"""Untrained students scored, all on the same batch."""

import copy
import math
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from search_spaces.imports import import_object
from teachers import TeacherOutputs
from trials.proxies.naswot import naswot
from trials.proxies.params import params
from trials.proxies.proxy import Answers, Proxy, ProxyBatch
from trials.proxies.relations import relations
from trials.proxies.synflow import synflow
from trials.recipe import FIXED, Recipe
from trials.records import Trial
from trials.setting import Setting
from trials.stages import build, guarded
from trials.student import Student

PROXIES: dict[str, Proxy] = {"params": params, "synflow": synflow, "naswot": naswot, "relations": relations}
"""Scores of untrained students by name; a user's own is ``package.module:name``."""

OF_TEACHERS = ("relations",)
"""Those that need teachers."""
_OF_STUDENT_ALONE = ("params", "synflow", "naswot")
"""Those that do not ask how much each teacher counts."""

ROWS = 128
"""Rows of the batch, at most; as many as Mellor et al. take."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Heard:
    """What the teachers said of the batch, and where they may speak."""

    outputs: TeacherOutputs
    votes_KB: Tensor


def find_proxy(name: str) -> Proxy:
    """Look a proxy up in the catalog, or import it.

    Raises:
        ValueError: There is none of this name.
    """
    if ":" in name:
        found: Any = import_object(name)
        if not callable(found):
            raise ValueError(f"proxy {name!r} must be a function of a body and a batch, got {type(found).__name__}")
        own: Proxy = found
        return own
    if name not in PROXIES:
        raise ValueError(f"unknown proxy {name!r}; proxies are {', '.join(sorted(PROXIES))}, or package.module:name")
    return PROXIES[name]


class Scorer:
    """Scores untrained students, with the weights from which they would be trained.

    The teachers are heard once, as it is made. What was scored is remembered.

    Args:
        setting: Builds the students, and holds the rows and the teachers.
        seed: Of the rows.
        features: Names of the teachers' features to read beside their logits.

    Raises:
        ValueError: The data is no tensor.
    """

    def __init__(self, setting: Setting, *, seed: int, features: Collection[str] = ()) -> None:
        self._setting = replace(setting, teachers=None, teacher_models=())  # They are heard here, and let go.
        train = setting.dataset.splits["train"]
        chosen = np.random.default_rng(seed).choice(train, size=min(ROWS, len(train)), replace=False)
        batch = setting.dataset.batch(np.sort(chosen), setting.dataset.student_labels)
        if not isinstance(batch.inputs, Tensor):
            raise ValueError("a proxy runs students on tensors, and the data is texts")
        self._inputs = batch.inputs
        self._heard: _Heard | None = None
        if setting.ensemble is not None and setting.teachers is not None:
            outputs = setting.teachers(batch, features)
            self._heard = _Heard(outputs=outputs, votes_KB=setting.ensemble.votes(batch))
        self._known: dict[tuple[object, ...], float] = {}

    def __call__(self, trial: Trial, names: Collection[str]) -> dict[str, float]:
        """Score a student.

        Args:
            trial: Its architecture and seed are read, and how much its recipe lets each teacher count.
            names: Of the scores.

        Returns:
            Scores by name, without those that such a student has not; none where it cannot be built, which its trial
            would tell.
        """
        weights = self._weights(trial.recipe)
        keys = {name: self._key(trial, name, weights) for name in names}
        if missing := [name for name, key in keys.items() if key not in self._known]:
            found, _ = guarded(self._setting, lambda: self._scored(trial, missing, weights))
            for name in missing:
                self._known[keys[name]] = (found or {}).get(name, float("nan"))
        return {name: self._known[key] for name, key in keys.items() if np.isfinite(self._known[key])}

    def require(self, trial: Trial, name: str) -> None:
        """Make sure that a student has a score.

        Raises:
            ValueError: It has none; the message says why.
        """
        with torch.random.fork_rng(devices=[]):
            student = build(trial, self._setting)
            batch = self._batch(student, self._weights(trial.recipe))
            try:
                score = _score(name, student, batch)
            except ValueError:
                raise
            except Exception as error:  # code of a stranger runs here and may raise anything
                raise ValueError(f"it failed with {type(error).__name__}: {error}") from error
        if not math.isfinite(score):
            raise ValueError(f"it gives {score}, which is no finite number")

    def _scored(self, trial: Trial, names: Collection[str], weights: tuple[float, ...]) -> dict[str, float]:
        student = build(trial, self._setting)
        batch = self._batch(student, weights)
        found: dict[str, float] = {}
        for name in names:
            with suppress(Exception):  # It has no such score, in whatever way it says so, and others may have one.
                found[name] = _score(name, student, batch)
        return found

    def _batch(self, student: Student, weights: tuple[float, ...]) -> ProxyBatch:
        inputs = self._inputs if student.preprocess is None else student.preprocess(self._inputs)
        if self._heard is None:
            return ProxyBatch(inputs=inputs)
        assert self._setting.ensemble is not None
        answers = Answers(
            logits_KBC=self._heard.outputs.logits,
            votes_KB=self._heard.votes_KB,
            known_KC=self._setting.ensemble.known_KC,
            weight_K=torch.tensor(weights),
            features=self._heard.outputs.features,
        )
        return ProxyBatch(inputs=inputs, answers=answers)

    def _weights(self, recipe: Recipe) -> tuple[float, ...]:
        """Give what each teacher counts: by fixed weights where the recipe has them, and nothing where it is silent."""
        ensemble = self._setting.ensemble
        if ensemble is None or not recipe.needs_teachers:
            return () if ensemble is None else (0.0,) * len(ensemble)
        fixed = recipe.teacher_weights if recipe.weighting == FIXED else {}
        return tuple(0.0 if name in recipe.silent else fixed.get(name, 1.0) for name in ensemble.names)

    @staticmethod
    def _key(trial: Trial, name: str, weights: tuple[float, ...]) -> tuple[object, ...]:
        return name, trial.spec.architecture_digest, trial.seed, () if name in _OF_STUDENT_ALONE else weights


def _score(name: str, student: Student, batch: ProxyBatch) -> float:
    """Ask a proxy; one of a user's is shown a copy, so that whatever it does to it the next one sees it untrained."""
    score: Any = find_proxy(name)(copy.deepcopy(student.body) if ":" in name else student.body, batch)
    return float(score.detach() if isinstance(score, Tensor) else score)
