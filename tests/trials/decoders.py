"""A small decoder, which tests of writing share."""

import torch

from search_spaces import Decoder, ModelSignature, StudentSpec, TensorSpec, decoder
from trials.student import Student

VALUES = {
    "length": 16,
    "layers": 2,
    "width": 16,
    "dropout": 0.0,
    "embedding": 1.0,
    "tied": False,
    "positions": "rotary",
    "norm": "rms",
    "feedforward": 2,
    "feedforward.kind": "gelu",
    "heads": 2,
    "heads2.kv_heads": 1,
}


def signature(num_tokens: int) -> ModelSignature:
    return ModelSignature(
        inputs=(TensorSpec(name="input_ids", shape=(None,), dtype="int64"),),
        outputs=(TensorSpec(name="logits", shape=(None, num_tokens)),),
        vocabulary_size=num_tokens,
    )


def small_decoder(num_tokens: int, seed: int = 0) -> tuple[Student, StudentSpec]:
    """Build a decoder whose probabilities are far from even."""
    torch.manual_seed(seed)
    space = decoder(lengths=(16,))
    spec = space.spec(VALUES)
    body = space.build(spec, signature(num_tokens)).eval()
    assert isinstance(body, Decoder)
    with torch.no_grad():
        body.head.tokens.weight.mul_(20)
    return Student(body, signature=signature(num_tokens), statistics=None).eval(), spec
