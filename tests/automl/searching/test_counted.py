"""Spaces of which some students, or none, can be built."""

from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from automl.config import load_config
from automl.errors import UserError
from automl.preparation.prepare import Prepared, prepare
from automl.searching.counted import draw_counted
from automl.searching.ranges import probes
from search_spaces import ModelSignature, StudentSpec

CONFIG = """\
name: small
data: {kind: sklearn, name: digits}
student: {space: mlp, choices: {depth: [1, 2]}}
recipe: {losses: {hard_label: {weight: 1.0}}, epochs: 1, batch_size: 64, learning_rate: 0.01}
objectives: [accuracy, size_bytes]
search: {trials: 4}
"""


def refusing(folder: Path, *depths: int) -> Prepared:
    """Prepare a search of a space without closed form whose students of some depths cannot be built."""
    path = folder / "small.yaml"
    path.write_text(CONFIG)
    prepared = prepare(load_config(path))
    build = prepared.space.build

    def picky(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
        if spec.values["depth"] in depths:
            raise RuntimeError("too deep for this device")
        return build(spec, signature)

    return replace(prepared, space=replace(prepared.space, build=picky, cost=None))


def test_students_that_cannot_be_built_are_left_out_and_told(tmp_path: Path) -> None:
    prepared = refusing(tmp_path, 2)
    drawn, costs, why = draw_counted(prepared)
    assert {values["depth"] for values in drawn} == {1}
    assert {prepared.spec(values).architecture_digest for values in drawn} == costs.keys()
    assert "random architectures cannot be built, and trials of such will fail: RuntimeError: too deep" in why
    assert {probe.spec.values["depth"] for probe in probes(prepared)} == {1}


def test_all_can_be_built_most_often(tmp_path: Path) -> None:
    drawn, _, why = draw_counted(refusing(tmp_path))
    assert {values["depth"] for values in drawn} == {1, 2}
    assert not why


def test_a_space_of_which_none_can_be_built_is_told_at_its_place(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"small\.yaml:3:\d+: student: none of 40 random students can be built: Runtime"
    ):
        draw_counted(refusing(tmp_path, 1, 2))
