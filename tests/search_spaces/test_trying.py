import pytest
import torch
from torch import Tensor, nn

from search_spaces import ModelSignature, TensorSpec, require_outputs

VECTOR = ModelSignature(
    inputs=(TensorSpec(name="input", shape=(6,)),), outputs=(TensorSpec(name="logits", shape=(3,)),)
)


class Named(nn.Linear):
    def forward(self, inputs: Tensor) -> dict[str, Tensor]:  # type: ignore[override] # that is the mistake
        return {"logits": super().forward(inputs)}


def test_a_model_that_fits_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3), nn.Dropout())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    require_outputs(model, VECTOR)
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_outputs_of_another_shape_are_told_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"must return logits of shape \(2, 3\), it returned \(2, 1000\)"):
        require_outputs(nn.Linear(6, 1000), VECTOR)


def test_outputs_that_are_no_tensors_are_told_by_their_kind() -> None:
    with pytest.raises(ValueError, match="must return one tensor for each of logits, it returned dict"):
        require_outputs(Named(6, 3), VECTOR)


def test_sizes_that_vary_are_tried_as_one_token() -> None:
    tokens = ModelSignature(
        inputs=(TensorSpec(name="tokens", shape=(None,), dtype="int64"),),
        outputs=(TensorSpec(name="logits", shape=(None, 11)),),
        vocabulary_size=11,
    )
    require_outputs(nn.Sequential(nn.Embedding(11, 4), nn.Linear(4, 11)), tokens)
