"""What is cached and what is asked on the spot, heard as one.

Shape letters: K = teachers, B = batch, C = classes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachers.cache.reading import CachedFeature, CachedOutputs
from teachers.live import ask
from teachers.outputs import Batch, TeacherOutputs
from teachers.teacher import Teacher
from teachers.token_outputs import CutLogits, TokenOutputs


class JoinedOutputs:
    """Reads what the cache has, and runs a teacher where it lacks something; fulfils ``EnsembleOutputs``."""

    def __init__(
        self,
        *,
        num_teachers: int,
        num_classes: int,
        packed: Sequence[int] = (),
        packs: Mapping[int, CachedOutputs] | None = None,
        features: Mapping[tuple[int, str, int], CachedFeature] | None = None,
        live: Mapping[int, Teacher] | None = None,
        mute: Collection[int] = (),
        positions: NDArray[np.int64] | None = None,
        holder: object = None,
    ) -> None:
        """Put together what there is.

        Args:
            num_teachers: Of the ensemble, K.
            num_classes: Classes of the data set, C.
            packed: Positions of the teachers whose logits are in the packs, in their order.
            packs: Cached logits by view.
            features: Cached features by position of the teacher, name and view.
            live: Teachers that can be run, by position.
            mute: Positions of those that only write, and that no recipe listens to; they answer nothing about tokens.
            positions: Where each row of the data set lies in what is cached (N,), -1 where it does not; None where all
                do in their order.
            holder: What must live as long as this does, such as that to which ``OutputStore.hold`` ties the files.
        """
        self._num_teachers, self._num_classes = num_teachers, num_classes
        self._packed, self._packs = tuple(packed), dict(packs or {})
        self._holder, self._positions = holder, positions
        self._features, self._live, self._mute = dict(features or {}), dict(live or {}), frozenset(mute)

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        """Read and ask.

        Raises:
            ValueError: A teacher that runs gave values that are not finite.
            IndexError: A row is not in the cache.
        """
        pack = self._packs.get(batch.view)
        packed = () if pack is None else self._packed
        cached_KBC = None if pack is None else pack(self._placed(batch)).logits
        if cached_KBC is not None and not features and len(packed) == self._num_teachers:
            return TeacherOutputs(logits=cached_KBC)
        logits: list[Tensor] = []
        inner: list[Mapping[str, Tensor]] = []
        for k in range(self._num_teachers):
            answer_BC, known = self._lacking(k, batch, features, keeps_logits=k in packed)
            # Where they are cached, logits are those of the cache, so that a recipe hears the same with or without.
            logits.append(answer_BC if cached_KBC is None or k not in packed else cached_KBC[packed.index(k)])
            inner.append(known)
        whole = cached_KBC if cached_KBC is not None and len(packed) == self._num_teachers else torch.stack(logits)
        return TeacherOutputs(logits=whole, features=tuple(inner) if features else ())

    def _placed(self, batch: Batch) -> Batch:
        """Number the rows of a batch as the cache does."""
        if self._positions is None:
            return batch
        index = self._positions[batch.index.numpy()]
        if (self._packs or self._features) and (index < 0).any():
            raise IndexError(f"row {int(batch.index[int(index.argmin())])} is not in the cache")
        return replace(batch, index=torch.from_numpy(index))

    def of_tokens(self, batch: Batch, features: Collection[str] = ()) -> TokenOutputs:
        """Read and ask about each token, cut as it is kept.

        Raises:
            ValueError: A teacher that runs gave values that are not finite.
            IndexError: A row is not in the cache.
        """
        pack = self._packs.get(batch.view)
        cached = (
            {} if pack is None else dict(zip(self._packed, pack.of_tokens(self._placed(batch)).logits, strict=True))
        )
        logits: list[Tensor | CutLogits] = []
        inner: list[Mapping[str, Tensor]] = []
        for k in range(self._num_teachers):
            answer, known = self._lacking(k, batch, features, keeps_logits=k in cached)
            logits.append(cached.get(k, answer))
            inner.append(known)
        return TokenOutputs(logits=tuple(logits), features=tuple(inner) if features else ())

    def _lacking(
        self, k: int, batch: Batch, features: Collection[str], *, keeps_logits: bool
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Give the features of a teacher; where it must be asked, its logits too, else none."""
        if k in self._mute:
            return torch.empty(0), {}
        rows = self._placed(batch).index.numpy()
        known = {
            name: feature.gather(rows)
            for name in features
            if (feature := self._features.get((k, name, batch.view))) is not None
        }
        lacking = [name for name in features if name not in known]
        if not lacking and keeps_logits:
            return torch.empty(0), known
        assert k in self._live, f"teacher {k} is neither cached nor at hand for {lacking or ['logits']}"
        logits, answers = ask(self._live[k], batch, lacking, num_classes=self._num_classes)
        return logits, {**known, **answers}
