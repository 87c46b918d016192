import numpy as np
import pytest
import torch

from teachers import Batch, Coverage, TeacherEnsemble, TeacherOutputs
from trials.placing import choose_device, place_batch, place_ensemble, place_outputs, random_state_kept

CPU, ELSEWHERE = torch.device("cpu"), torch.device("meta")
BATCH = Batch(index=torch.arange(2), inputs=torch.zeros(2, 3), labels=torch.zeros(2, dtype=torch.int64))
OUTPUTS = TeacherOutputs(logits=torch.zeros(1, 2, 3), features=({"f": torch.zeros(2)},))


def test_auto_takes_what_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda", 1)


def test_a_device_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="finds no CUDA here; take auto or cpu"):
        choose_device("cuda")
    with pytest.raises(ValueError, match="unknown device 'gpu'; take auto, cpu, cuda"):
        choose_device("gpu")


def test_nothing_is_copied_where_it_is_there_already():
    assert place_batch(BATCH, CPU) is BATCH
    assert place_outputs(OUTPUTS, CPU) is OUTPUTS


def test_every_tensor_is_moved():
    batch, outputs = place_batch(BATCH, ELSEWHERE), place_outputs(OUTPUTS, ELSEWHERE)
    tensors = [batch.index, batch.inputs, batch.labels, outputs.logits, outputs.features[0]["f"]]
    assert {tensor.device for tensor in tensors} == {ELSEWHERE}
    texts = place_batch(Batch(index=BATCH.index, inputs=["a", "b"], labels=BATCH.labels), ELSEWHERE)
    assert texts.inputs == ["a", "b"]


def test_masks_of_an_ensemble_are_moved_and_the_ensemble_itself_stays():
    coverages = {"a": Coverage(labels=(0,)), "b": Coverage(column="c", values=(1,))}
    ensemble = TeacherEnsemble(coverages, num_classes=2, num_rows=2, columns={"c": np.array([0, 1])})
    placed = place_ensemble(ensemble, ELSEWHERE)
    masks = [placed.known_KC, placed.rows_KN, *(g.classes for g in placed.groups if g.classes is not None)]
    assert len(masks) == 3
    assert {mask.device for mask in masks} == {ELSEWHERE}
    assert (len(placed), placed.names) == (2, ensemble.names)
    assert {ensemble.known_KC.device, ensemble.rows_KN.device, ensemble.groups[0].classes.device} == {CPU}
    assert set(vars(placed)) == {"names", "known_KC", "rows_KN", "groups"}, "a further mask must be moved, too"


def test_random_state_is_put_back_even_after_a_crash():
    before = torch.random.get_rng_state()
    with pytest.raises(RuntimeError, match="crash"), random_state_kept(CPU):
        torch.manual_seed(1)
        raise RuntimeError("crash")
    assert torch.equal(torch.random.get_rng_state(), before)
