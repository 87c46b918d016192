"""What is cached and what is asked on the spot."""

from itertools import combinations, count

import numpy as np
import pytest
import torch

from teachers import (
    AnswerForm,
    Budget,
    Coverage,
    Outputs,
    OutputStore,
    Probe,
    Teacher,
    fill,
    pack,
    plan_cache,
    plan_shards,
    probe,
)
from teachers.cache.room import Whole, models_to_keep

N, C = 1000, 10
NUMBERS = count()


def probed(
    seconds=1e-3, features=(("small", (8,)), ("large", (4, 5, 5))), aliases=(), *, digest="", held_bytes=0, labels=None
):
    shapes = {"logits": (C,), **dict(features)}
    names = {name: dict(aliases).get(name, name) for name in shapes if name != "logits"}
    return Probe(
        seconds_per_row=seconds,
        shapes=shapes,
        identities=names,
        num_known=C,
        labels=labels,
        digest=digest or f"teacher {next(NUMBERS)}",
        held_bytes=held_bytes,
    )


def plan(probes, terms, limit, *, memory=10**9, trials=1, models=(), **options):
    usual = {"num_rows": N, "num_views": 0, "num_classes": C, "dtype": "float16", "top_k": None}
    budget = Budget(disk_bytes=limit, memory_bytes=memory, trials=trials)
    return plan_cache(probes, terms, form=AnswerForm(**(usual | options)), budget=budget, models=models)


def kept(found):
    return {(each.teacher, each.output) for each in found.outputs if each.kept}


LOGITS = 2 * N * C * 2
SMALL, LARGE = N * 8 * 2, N * 100 * 2


def test_all_that_fits_is_kept_and_its_bytes_add_up():
    found = plan([probed(), probed()], [("small",), ("large",)], 10**9)
    assert found.live == {}
    assert found.needs_models == ()
    assert found.num_bytes == 2 * (LOGITS + SMALL + LARGE)


def test_logits_come_first_then_what_saves_most_a_byte():
    probes = [probed(seconds=1e-4), probed(seconds=1e-3)]
    terms = [("small",), ("large",)]
    assert kept(plan(probes, terms, 2 * LOGITS)) == {(0, "logits"), (1, "logits")}
    found = plan(probes, terms, 2 * LOGITS + SMALL)
    assert kept(found) == {(0, "logits"), (1, "logits"), (1, "small")}
    assert found.live == {0: ("small", "large"), 1: ("large",)}
    # The slow teacher's large feature saves less a byte than the fast teacher's small one, 1e-3/200 against 1e-4/16.
    found = plan(probes, terms, 2 * LOGITS + 2 * SMALL)
    assert found.live == {0: ("large",), 1: ("large",)}
    assert plan(probes, terms, 2 * LOGITS + 2 * SMALL + LARGE).live == {0: ("large",)}


def test_where_logits_of_one_teacher_fit_the_slower_one_s_are_kept_and_no_feature_of_the_other():
    found = plan([probed(seconds=1e-4), probed(seconds=1e-3)], [("small",)], LOGITS + SMALL)
    assert found.packed == (1,)
    assert kept(found) == {(1, "logits"), (1, "small")}
    assert found.live == {0: ("logits", "small")}
    assert plan([probed()], [], 10).live == {0: ("logits",)}


def test_features_that_one_term_reads_together_are_kept_together_or_not_at_all():
    both = [("small", "large")]
    found = plan([probed()], both, LOGITS + LARGE)
    assert found.live == {0: ("small", "large")}
    assert plan([probed()], both, LOGITS + SMALL + LARGE).live == {}


def test_what_two_terms_share_is_counted_once_and_so_is_another_name_of_it():
    assert plan([probed()], [("small",), ("small", "large")], 10**9).num_bytes == LOGITS + SMALL + LARGE
    aliased = probed(features=(("small", (8,)), ("tiny", (8,))), aliases=(("tiny", "small"),))
    found = plan([aliased], [("small",), ("tiny",)], LOGITS + SMALL)
    assert found.live == {}
    assert found.num_bytes == LOGITS + SMALL


def test_losses_that_run_models_need_them_whatever_is_cached():
    found = plan([probed(), probed()], [], 10**9, models=("adversarial",))
    assert found.live == {}
    assert found.needs_models == (0, 1)


def test_each_view_is_kept_and_features_of_the_rows_as_they_are_only_without_views():
    found = plan([probed()], [("small",)], 10**9, num_views=3)
    assert found.num_bytes == 4 * LOGITS + 3 * SMALL
    assert found.form.views("logits") == (0, 1, 2, 3)
    assert found.form.views("small") == (1, 2, 3)
    assert plan([probed()], [("small",)], 10**9).form.views("small") == (0,)


@pytest.mark.parametrize(("top_k", "width"), [(None, 30), (3, 30), (3, 4)])
def test_the_forecast_of_bytes_is_close(tmp_path, top_k, width):
    labels = None if width == 30 else tuple(range(width))

    def model(rows, features=()):
        known = {"pooled": rows[:, :8], "full": rows[:, :8, None] * torch.ones(12)}
        return Outputs(logits=rows[:, :width], features={name: known[name] for name in features})

    one = Teacher(name="t", model=model, coverage=Coverage(labels=labels), digest="t")
    inputs = np.random.default_rng(0).normal(size=(N, 30)).astype(np.float32)
    found = plan(
        [probe(one, inputs[:16], ("pooled", "full"), num_threads=1)],
        [("pooled",), ("full",)],
        10**9,
        num_classes=30,
        top_k=top_k,
    )
    store = OutputStore(tmp_path, limit_bytes=None)
    logits = plan_shards([one], inputs, dtype="float16", top_k=top_k)
    shards = [
        shard for name in ("pooled", "full") for shard in plan_shards([one], inputs, dtype="float16", output=name)
    ]
    fill(store, [*logits, *shards], [one], inputs, num_classes=30)
    pack(store, logits, [one], num_classes=30)
    overhead = 1024 * (len(logits) + len(shards) + 1)
    assert found.num_bytes <= store.used_bytes() <= found.num_bytes + overhead


def test_a_probe_names_features_that_a_teacher_lacks():
    one = Teacher(name="t", model=lambda rows, features=(): Outputs(logits=rows), coverage=Coverage(), digest="t")
    rows = np.zeros((4, 3), dtype=np.float32)
    with pytest.raises(ValueError, match=r"teacher 't' gives no features stage9; it gives none"):
        probe(one, rows, ("stage9",), num_threads=1)
    found = probe(one, rows, (), num_threads=1)
    assert found.shapes == {"logits": (3,)}
    assert found.seconds_per_row > 0


def test_teachers_that_are_one_model_share_their_files_and_its_place_in_memory():
    twins = [probed(digest="one", held_bytes=5), probed(digest="one", held_bytes=5)]
    shard, pack_ = LOGITS // 2, LOGITS // 2
    together = shard + 2 * pack_ + SMALL
    assert plan(twins, [("small",)], together).live == {}
    assert plan(twins, [("small",)], together).num_bytes == together
    assert plan(twins, [("small",)], together - 1).live == {0: ("small",), 1: ("small",)}
    others = [probed(), probed()]
    assert plan(others, [("small",)], together).num_bytes < together
    assert plan(twins, [], 0).trial_bytes == 5
    assert plan([probed(held_bytes=5), probed(held_bytes=5)], [], 0).trial_bytes == 10


def test_largest_logits_of_one_model_are_shared_only_where_they_are_looked_for_among_the_same_labels():
    wide = {"num_classes": 1000, "top_k": 2, "num_rows": 1}
    shapes = {"features": (), "digest": "one"}
    alike = plan([probed(**shapes, labels=(1, 2))] * 2, [], 10**9, **wide)
    apart = plan([probed(**shapes, labels=labels) for labels in ((1, 2), (1, 3))], [], 10**9, **wide)
    assert apart.num_bytes - alike.num_bytes == alike.outputs[0].row_bytes > 0


def test_what_runs_takes_memory_in_each_trial_and_where_it_is_handed_out_from():
    found = plan([probed(held_bytes=100), probed(held_bytes=7)], [], LOGITS, trials=4, memory=10**6)
    assert found.live == {1: ("logits",)}
    assert (found.trial_bytes, found.memory_bytes) == (7, (4 + 2) * 7)
    assert found.fits_memory
    assert plan([probed(held_bytes=None)], [], 0).memory_bytes == 0
    assert plan([probed(held_bytes=100)], [], LOGITS).memory_bytes == 0
    assert plan([probed(held_bytes=100)], [], LOGITS, models=("adversary",)).memory_bytes == 300


def test_a_teacher_that_would_not_fit_into_memory_is_kept_before_one_that_saves_more_time():
    large, slow = probed(seconds=1e-4, held_bytes=1000), probed(seconds=1e-2, held_bytes=10)
    terms, room = [("small",)], LOGITS + SMALL
    assert set(plan([large, slow], terms, room).live) == {0}
    found = plan([large, slow], terms, room, memory=3 * 10)
    assert found.live == {1: ("logits", "small")}
    assert found.fits_memory
    nowhere = plan([large, slow], terms, room, memory=3 * 10 - 1)
    assert not nowhere.fits_memory
    assert set(nowhere.live) == {0}


def test_the_teachers_that_are_kept_for_want_of_memory_take_the_least_disk():
    """Keeping the largest model first would take the disk that the two others need."""
    sizes = {"wide": (200, 60), "left": (80, 50), "right": (80, 50)}
    wholes = [Whole(name=name, disk_bytes=disk, memory_bytes=held) for name, (disk, held) in sizes.items()]
    assert models_to_keep(wholes, disk_bytes=200, memory_bytes=60) == {"left", "right"}
    assert len(models_to_keep(wholes, disk_bytes=200, memory_bytes=110)) == 1
    assert models_to_keep(wholes, disk_bytes=159, memory_bytes=60) is None
    assert models_to_keep(wholes, disk_bytes=0, memory_bytes=160) == frozenset()


@pytest.mark.parametrize("seed", range(20))
def test_models_to_keep_are_the_best_of_all_choices(seed):
    chance = np.random.default_rng(seed)
    wholes = [
        Whole(name=str(k), disk_bytes=int(disk), memory_bytes=int(held))
        for k, (disk, held) in enumerate(chance.integers(1, 30, size=(6, 2)))
    ]
    disk, memory = (int(limit) for limit in chance.integers(1, 90, size=2))
    fitting = []
    for size in range(7):
        for kept in combinations(wholes, size):
            taken = sum(whole.disk_bytes for whole in kept)
            left = sum(whole.memory_bytes for whole in wholes if whole not in kept)
            if taken <= disk and left <= memory:
                fitting.append(taken)
    found = models_to_keep(wholes, disk_bytes=disk, memory_bytes=memory)
    assert (found is None) == (not fitting)
    if found is not None:
        assert sum(whole.disk_bytes for whole in wholes if whole.name in found) == min(fitting)


def test_fewer_processes_fill_the_cache_where_more_would_not_fit_into_memory():
    found = plan([probed(held_bytes=1000)], [], 10**9, memory=10**6)
    # Of the answers of 1000 rows to 10 classes, 2 bytes each, two copies.
    assert found.filling_bytes == 1000 + 2 * N * C * 2
    assert found.filling_at_a_time == 10**6 // found.filling_bytes == 24
    assert plan([probed(held_bytes=1000)], [], 10**9, memory=1).filling_at_a_time == 1
