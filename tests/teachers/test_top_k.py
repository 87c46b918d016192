"""Cut logits: what stays exact, and how the error falls with the number of classes that are kept."""

import numpy as np
import pytest
import torch

from teachers import Batch, CachedOutputs, Coverage, LiveOutputs, Outputs, OutputStore, Teacher, fill, pack, plan_shards
from teachers.cache.top_k import decode_top, encode_top, keeps_top, top_bytes

N, C = 30, 40
KNOWN = np.ones(C, dtype=bool)


@pytest.fixture
def logits():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(N, C)).astype(np.float32) * 3)


def rebuilt(logits, k, dtype="float32"):
    return decode_top(**encode_top(logits, k=k, dtype=dtype), known=KNOWN)


def kd(student, teacher, temperature):
    """Divergence of softened probabilities, and its gradient."""
    student = student.clone().requires_grad_()
    log_p, log_q = (torch.log_softmax(each / temperature, dim=1) for each in (teacher, student))
    value = (log_p.exp() * (log_p - log_q)).sum(dim=1).mean()
    return value.item(), torch.autograd.grad(value, student)[0]


@pytest.mark.parametrize("k", [1, 5, 39])
def test_at_temperature_1_kept_probabilities_are_exact_and_the_rest_add_up(logits, k):
    given, made = (torch.softmax(each, dim=1) for each in (logits, rebuilt(logits, k)))
    top = logits.topk(k, dim=1).indices
    torch.testing.assert_close(made.gather(1, top), given.gather(1, top))
    tail = made.scatter(1, top, 0.0)
    torch.testing.assert_close(tail.sum(dim=1), given.scatter(1, top, 0.0).sum(dim=1), atol=1e-6, rtol=1e-4)
    others = tail[tail > 0].reshape(N, C - k)
    torch.testing.assert_close(others, others[:, :1].expand_as(others))


def test_where_one_class_is_cut_off_everything_is_exact(logits):
    torch.testing.assert_close(rebuilt(logits, C - 1), logits)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_error_of_kd_and_its_gradient_falls_with_k(logits, temperature):
    student = torch.from_numpy(np.random.default_rng(1).normal(size=(N, C)).astype(np.float32))
    value, gradient = kd(student, logits, temperature)
    errors = []
    for k in (1, 2, 5, 10, 20, 30, C - 1):
        near, near_gradient = kd(student, rebuilt(logits, k), temperature)
        errors.append((abs(near - value), (near_gradient - gradient).norm().item()))
    for kind in zip(*errors, strict=True):
        assert list(kind) == sorted(kind, reverse=True)
        assert kind[-1] < 1e-5 < kind[0]


def test_a_tail_seems_heavier_at_higher_temperatures_and_lighter_at_lower_ones(logits):
    top = logits.topk(5, dim=1).indices
    for temperature, sign in ((4.0, 1), (0.5, -1)):
        tails = [
            torch.softmax(each.double() / temperature, dim=1).scatter(1, top, 0.0).sum(dim=1)
            for each in (rebuilt(logits, 5), logits)
        ]
        assert ((tails[0] - tails[1]) * sign >= -1e-9).all()
        assert ((tails[0] - tails[1]) * sign).max() > 1e-6


def test_only_what_takes_less_room_is_cut():
    assert top_bytes(1000, 10, "float16") == 10 * 4 + 2
    assert top_bytes(100_000, 10, "float16") == 10 * 6 + 2
    assert keeps_top(1000, 10, "float16")
    assert not keeps_top(10, 10, "float16")
    assert not keeps_top(1000, None, "float16")
    assert not keeps_top(20, 10, "float16")  # 42 bytes against 40.
    assert keeps_top(22, 10, "float16")


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 4e-3)])
def test_a_pack_holds_cut_and_full_logits_each_in_its_own_classes(tmp_path, logits, dtype, tolerance):
    inputs = logits.numpy()
    odd = tuple(range(1, C, 2))

    def model(columns):
        return lambda rows, features=(): Outputs(logits=rows[:, columns])

    teachers = [
        Teacher(name="all", model=model(slice(None)), coverage=Coverage(), digest="a"),
        Teacher(name="few", model=model([7, 2]), coverage=Coverage(labels=(7, 2)), digest="b"),
        Teacher(name="odd", model=model(list(odd)), coverage=Coverage(labels=odd), digest="c"),
        Teacher(name="wide", model=model(slice(None)), coverage=Coverage(labels=odd), digest="d"),
    ]
    store = OutputStore(tmp_path, limit_bytes=None)
    shards = plan_shards(teachers, inputs, dtype=dtype, top_k=4, shard_rows=8)
    fill(store, shards, teachers, inputs, num_classes=C)
    assert "tail" not in store.read_shard(shards[4].key)
    cached = CachedOutputs.open(store, pack(store, shards, teachers, num_classes=C))
    assert cached.shape == (N, 4, C)
    rows = [29, 3, 3, 11]
    some = Batch(index=torch.tensor(rows), inputs=logits[rows], labels=torch.zeros(4).long())
    heard = cached(some).logits
    truth = LiveOutputs(teachers, num_classes=C)(some).logits
    assert torch.equal(heard[2], heard[3])
    torch.testing.assert_close(heard[1], truth[1], atol=tolerance, rtol=tolerance)
    assert (heard[2][:, ::2] == 0).all()
    for k, classes in ((0, slice(None)), (2, list(odd))):
        given, made = (torch.softmax(each[k][:, classes], dim=1) for each in (truth, heard))
        top = given.topk(4, dim=1).indices
        torch.testing.assert_close(made.gather(1, top), given.gather(1, top), atol=tolerance, rtol=tolerance)
        np.testing.assert_allclose(cached.read(np.array(rows), teacher=k), heard[k].numpy())


def test_logits_of_sequences_are_cut_position_by_position(tmp_path, logits):
    inputs = logits.reshape(10, 3, C).numpy()
    one = Teacher(name="t", model=lambda rows, features=(): Outputs(logits=rows), coverage=Coverage(), digest="t")
    store = OutputStore(tmp_path, limit_bytes=None)
    shards = plan_shards([one], inputs, dtype="float32", top_k=5)
    fill(store, shards, [one], inputs, num_classes=C)
    cached = CachedOutputs.open(store, pack(store, shards, [one], num_classes=C))
    some = Batch(index=torch.arange(10), inputs=torch.from_numpy(inputs), labels=torch.zeros(10).long())
    torch.testing.assert_close(cached(some).logits[0].reshape(N, C), rebuilt(logits, 5))
