"""A decoder as the graph that ships: keys and values of the tokens before come in, those of all go out.

With nothing before, it reads whole texts; so one graph judges and writes, and weights ship once.

Shape letters: B = batch, T = tokens, V = vocabulary.
"""

import torch
from torch import Tensor, nn

from search_spaces.decoder import Decoder, KeysAndValues, plan_of
from search_spaces.signature import ModelSignature, TensorSpec
from search_spaces.spec import StudentSpec


class CachedDecoder(nn.Module):
    """A decoder that goes on from keys and values; it shares the weights of the one that it is made of."""

    def __init__(self, decoder: Decoder) -> None:
        """Wrap a decoder."""
        super().__init__()
        self.decoder = decoder

    def forward(self, input_ids_BT: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """Take and give the tensors of ``cached_signature``."""
        hidden_BTD, present = self.decoder.go_on(input_ids_BT, past)
        return self.decoder.head(hidden_BTD), *present


def cached_signature(spec: StudentSpec, signature: ModelSignature) -> ModelSignature:
    """Describe the tensors of a ``CachedDecoder``.

    Args:
        spec: Of the space ``decoder``.
        signature: Of the decoder itself.

    Returns:
        Inputs ``input_ids`` (T,), padding at their end alone, then ``past_key_0``, ``past_value_0``, … for each block
        (kv_heads, P, head_size), where P is 0 for the first call. Outputs ``logits`` (T, V) of the token after each,
        then ``present_key_0``, ``present_value_0``, … (kv_heads, P + T, head_size). What goes on from these is as long
        in all texts of a batch.
    """
    (tokens,) = signature.inputs
    past, present = (_cache(spec, when) for when in ("past", "present"))
    return ModelSignature(
        inputs=(tokens, *past),
        outputs=(signature.outputs[0], *present),
        vocabulary_size=signature.vocabulary_size,
    )


def empty_cache(spec: StudentSpec, *, batch: int) -> KeysAndValues:
    """Give keys and values of no tokens, for the first call."""
    shapes = [(batch, *(size or 0 for size in tensor.shape)) for tensor in _cache(spec, "past")]
    return tuple(torch.zeros(shape) for shape in shapes)


def _cache(spec: StudentSpec, when: str) -> tuple[TensorSpec, ...]:
    plan = plan_of(spec.values)
    shape = (plan.kv_heads, None, plan.head_size)
    names = [f"{when}_{part}_{layer}" for layer in range(int(spec.values["layers"])) for part in ("key", "value")]
    return tuple(TensorSpec(name=name, shape=shape) for name in names)
