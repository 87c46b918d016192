"""What is cached and what is asked on the spot."""

import numpy as np
import pytest
import torch

from teachers import Coverage, Outputs, OutputStore, Probe, Teacher, fill, pack, plan_cache, plan_shards, probe

N, C = 1000, 10


def probed(seconds=1e-3, features=(("small", (8,)), ("large", (4, 5, 5))), aliases=(), width=C):
    shapes = {"logits": (width,), **dict(features)}
    names = {name: dict(aliases).get(name, name) for name in shapes if name != "logits"}
    return Probe(seconds_per_row=seconds, shapes=shapes, identities=names, num_known=width)


def plan(probes, terms, limit, **options):
    usual = {"num_rows": N, "num_views": 0, "num_classes": C, "dtype": "float16", "top_k": None}
    return plan_cache(probes, terms, limit_bytes=limit, **(usual | options))


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
    assert found.views("logits") == (0, 1, 2, 3)
    assert found.views("small") == (1, 2, 3)
    assert plan([probed()], [("small",)], 10**9).views("small") == (0,)


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
