"""Which answers of teachers a search needs, and what of them is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import psutil
from numpy.typing import NDArray

from automl.config.searchable import possible_values
from automl.errors import UserError
from automl.numbers import byte_count, counted, gigabytes, listed
from automl.preparation.prepare import Prepared
from automl.preparation.recipe_checks import options_of_choices
from automl.teaching.heard_rows import HeardRows
from teachers import (
    LOGITS,
    AnswerForm,
    Budget,
    CacheKey,
    CachePlan,
    Chunks,
    OutputStore,
    PackKey,
    Probe,
    Shard,
    Teacher,
    pack_key,
    plan_cache,
    plan_shards,
)
from teachers.cache.planned import LEADING_COPIES
from teachers.digests import record_digest, rows_digest
from trials.data import Dataset
from trials.losses import needs_of
from trials.recipe import LossTerm

_PROBE_ROWS = 64
_TOP_OF_TOKENS = 64
"""Logits that are kept of a token, and the mass of all others, unless the config says otherwise."""
_SHARE_OF_MEMORY = 0.5
"""Of a machine, for teachers that run, unless the config says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the losses that a recipe may choose read of teachers, beside logits.

    Args:
        terms: Features that a loss reads of each teacher, once for each way to choose its options.
        models: Names of losses, and of steps, that run the teachers' models themselves.
    """

    terms: tuple[tuple[str, ...], ...]
    models: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """All features, each once."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term))


def wanted(prepared: Prepared) -> Wanted:
    """Look through all losses that the recipe may choose, and all their options."""
    recipe = prepared.config.recipe
    terms: list[tuple[str, ...]] = []
    models: list[str] = []
    for name in recipe.listening:
        for options in options_of_choices(recipe, name):
            needs = needs_of(LossTerm(name=name, weight=1.0, options=options))
            terms += [needs.teacher] if needs.teacher else []
            models += [name] if needs.models else []
    if any(float(share) > 0 for share in possible_values(recipe.on_policy)):
        models.append("on_policy")
    return Wanted(terms=tuple(dict.fromkeys(terms)), models=tuple(dict.fromkeys(models)))


def probe_rows(dataset: Dataset) -> NDArray[np.generic] | list[str]:
    """Give a few training rows, to try teachers out on."""
    rows = dataset.splits["train"][: dataset.rows_at_a_time(_PROBE_ROWS)]
    return [dataset.inputs[row] for row in rows] if isinstance(dataset.inputs, list) else dataset.inputs[rows]


def plan_answers(prepared: Prepared, probes: Sequence[Probe], needed: Wanted, *, trials: int) -> CachePlan:
    """Decide what is kept and what runs on the spot.

    Args:
        prepared: Its data and its section ``cache``.
        probes: Of all teachers.
        needed: By the recipe.
        trials: That may run at a time on one machine.
    """
    dataset, cache = prepared.dataset, prepared.config.cache
    heard = HeardRows.of(dataset)
    form = AnswerForm(
        num_rows=heard.num_train,
        num_judged=heard.num_judged,
        num_views=0 if dataset.augmentation is None else dataset.augmentation.views,
        num_classes=dataset.num_classes,
        dtype=cache.dtype,
        top_k=kept_logits(prepared),
        drawn=cache.sampled is not None,
    )
    memory = psutil.virtual_memory().total * _SHARE_OF_MEMORY if cache.memory_gb is None else cache.memory_gb * 1e9
    budget = Budget(disk_bytes=cache.limit_bytes, memory_bytes=int(memory), trials=trials)
    return plan_cache(probes, needed.terms, form=form, budget=budget, models=needed.models)


def kept_logits(prepared: Prepared) -> int | None:
    """Say how many logits of a row are kept: of tokens not all of them, unless the config says how many."""
    cache = prepared.config.cache
    if cache.sampled is not None or cache.top_k is not None:
        return cache.sampled or cache.top_k
    return _TOP_OF_TOKENS if prepared.dataset.of_tokens else None


def require_memory(prepared: Prepared, plan: CachePlan) -> None:
    """Refuse a plan whose teachers do not fit into the memory that they may take.

    Raises:
        UserError: They do not; the message says what would help.
    """
    if plan.fits_memory:
        return
    budget, config = plan.budget, prepared.config
    names = [config.teachers[k].name for k in plan.needs_models]
    helps = [f"raise it to {gigabytes(plan.memory_bytes)}"]
    fitting = budget.memory_bytes // plan.trial_bytes - LEADING_COPIES
    if fitting > 0:
        helps.insert(0, f"set search.in_flight to {fitting}")
    if not plan.models:
        enough = roomy_gb(plan.num_bytes + plan.lacking_bytes)
        helps.insert(0, f"set cache.gb to {enough}, which keeps all that they say")
    why = f"for {listed(plan.models)}" if plan.models else "since cache.gb has no room for all that they say"
    raise UserError(
        f"{listed(names)} would run in {counted(budget.trials, 'trial')} at a time, {why}: "
        f"{byte_count(plan.trial_bytes)} of memory in each and {byte_count(plan.memory_bytes)} in all, with what they "
        f"are handed out from; they may take {byte_count(budget.memory_bytes)}; {', or '.join(helps)}",
        place=config.place("cache", "memory_gb"),
    )


def roomy_gb(num_bytes: int) -> str:
    """Write the ``cache.gb`` that has room for answers, and for the heads of their files, which no plan counts."""
    return gigabytes(num_bytes + num_bytes // 100 + 64_000)


@dataclass(frozen=True, kw_only=True, eq=False)
class Entries:
    """The files of a plan.

    Args:
        plan: What is kept; files that two teachers share are counted once.
        logits: Shards of the teachers whose logits are kept, by view; positions are those among them.
        packs: Names of the packs, by view.
        features: Shards of each feature that is kept, by position of the teacher, name and view.
        heard: The rows that they are of.
    """

    plan: CachePlan
    heard: HeardRows
    logits: Mapping[int, tuple[Shard, ...]]
    packs: Mapping[int, PackKey]
    features: Mapping[tuple[int, str, int], tuple[Shard, ...]]

    @property
    def leased(self) -> tuple[CacheKey, ...]:
        """Files that must stay while the search fills and reads: shards of logits are packed from them, too."""
        return *self.keys, *(shard.key for each in self.logits.values() for shard in each)

    @property
    def keys(self) -> tuple[CacheKey, ...]:
        """Files that trials read."""
        shards = {shard.key.digest: shard.key for each in self.features.values() for shard in each}
        return *self.packs.values(), *shards.values()

    def missing(self, store: OutputStore) -> tuple[Shard, ...]:
        """List the shards that must be computed; of logits that are packed, none. Positions are of the ensemble."""
        found: dict[str, Shard] = {}
        for view, shards in self.logits.items():
            if store.fault(self.packs[view]) is not None:  # Else nothing is read of the shards, which may be gone.
                for shard in store.missing(shards):
                    found[shard.key.digest] = replace(shard, teacher=self.plan.packed[shard.teacher])
        for shards in self.features.values():
            found |= {shard.key.digest: shard for shard in store.missing(shards)}
        return tuple(found.values())

    def bytes_to_come(self, store: OutputStore, missing: Sequence[Shard]) -> int:
        """Say what filling will write."""
        planned = {(each.teacher, each.output): each for each in self.plan.outputs}
        total = sum((s.stop - s.start) * planned[s.teacher, s.output].row_bytes for s in missing)
        for view, key in self.packs.items():
            if store.fault(key) is not None:
                rows = self.plan.form.rows(LOGITS, view)
                total += rows * sum(planned[k, LOGITS].packed_row_bytes for k in self.plan.packed)
        return total


def entries_of(prepared: Prepared, teachers: Sequence[Teacher], plan: CachePlan) -> Entries:
    """Name the files of a plan.

    Args:
        prepared: Its data.
        teachers: As loaded.
        plan: What is kept of them.
    """
    dataset = prepared.dataset
    heard = HeardRows.of(dataset)
    judged, chunks = Chunks(heard), Chunks(heard.training)
    digest = ""
    if dataset.augmentation is not None:  # A view of a row depends on its number, which the contents do not tell.
        digest = record_digest([dataset.augmentation.digest, rows_digest(heard.training.order)])
    packed = [teachers[k] for k in plan.packed]
    # All teachers of a pack are cut alike.
    rows = min((each.shard_rows for each in plan.outputs if each.output == LOGITS and each.kept), default=1)
    logits = {
        view: plan_shards(
            packed,
            chunks if view else judged,
            dtype=plan.form.dtype,
            view=view,
            augmentation=digest if view else "",
            top_k=plan.form.top_k,
            drawn=plan.form.drawn,
            shard_rows=rows,
        )
        for view in plan.form.views(LOGITS)
        if packed
    }
    features = {}
    for each in plan.features:
        for view in plan.form.views(each.output):
            shards = plan_shards(
                [teachers[each.teacher]],
                chunks,
                dtype=plan.form.dtype,
                output=each.output,
                view=view,
                augmentation=digest if view else "",
                shard_rows=each.shard_rows,
            )
            features[each.teacher, each.output, view] = tuple(replace(s, teacher=each.teacher) for s in shards)
    packs = {view: pack_key(packed, shards, num_classes=dataset.num_classes) for view, shards in logits.items()}
    return Entries(plan=plan, heard=heard, logits=logits, packs=packs, features=features)
