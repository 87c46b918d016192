"""Transformers that classify texts, from a bag of embeddings upwards.

Token ids come in, padding 0 at their end; the mask is worked out in the graph. An embedding, blocks, a vector for the
text from those of its tokens, a linear head. Without blocks it is the bag of fastText (Joulin et al., 2017,
https://arxiv.org/abs/1607.01759).

Shape letters: B = batch, T = tokens, D = width of a token.
"""

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor, nn

from search_spaces.choices import Categorical, Choice, Integer, Values
from search_spaces.conditions import at_least, equals, one_of
from search_spaces.embedding import Embedding, embedding_cost, initialise_embedding, seen, vocabulary_size_of
from search_spaces.layer_costs import linear, total
from search_spaces.layers import head, known
from search_spaces.rotary import Rotary
from search_spaces.signature import ModelSignature
from search_spaces.space import Cost, SearchSpace
from search_spaces.spec import StudentSpec
from search_spaces.text_choices import POSITIONS, num_positions, reading_choices, require_divisible, table_width
from search_spaces.token_mixing import MIXERS
from search_spaces.transformer_blocks import (
    TOKEN_ACTIVATIONS,
    TransformerBlock,
    block_cost,
    initialise_blocks,
    layer_norm,
    norm_cost,
)
from search_spaces.transformer_plan import TransformerPlan


def mean_of_tokens(hidden_BTD: Tensor, seen_BT: Tensor) -> Tensor:
    """Take the mean of the tokens that are seen (B, D)."""
    seen_BT1 = seen_BT[..., None].to(hidden_BTD.dtype)
    return (hidden_BTD * seen_BT1).sum(dim=1) / seen_BT1.sum(dim=1)


def first_token(hidden_BTD: Tensor, seen_BT: Tensor) -> Tensor:
    """Take the first token (B, D)."""
    del seen_BT
    return hidden_BTD[:, 0]


def max_of_tokens(hidden_BTD: Tensor, seen_BT: Tensor) -> Tensor:
    """Take the highest value of each number among the tokens that are seen (B, D)."""
    return hidden_BTD.masked_fill(~seen_BT[..., None], torch.finfo(hidden_BTD.dtype).min).amax(dim=1)


POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": mean_of_tokens,
    "first": first_token,
    "max": max_of_tokens,
}
"""How tokens become one vector."""


def encoder(
    *,
    vocabulary_sizes: Sequence[int] | None = (1024, 2048, 4096, 8192, 16384),
    lengths: Sequence[int] = (32, 64, 128, 256),
    max_layers: int = 6,
    max_width: int = 256,
    width_step: int = 16,
    embeddings: Sequence[float] = (1.0, 0.5, 0.25),
    attentions: Sequence[str] = ("full", "local", "convolution"),
    heads: Sequence[int] = (1, 2, 4),
    positions: Sequence[str] = ("learnt", "rotary"),
    windows: Sequence[int] = (8, 16),
    kernels: Sequence[int] = (3, 7),
    feedforwards: Sequence[int] = (1, 2, 4),
    activations: Sequence[str] = ("relu", "gelu"),
    poolings: Sequence[str] = ("mean", "first", "max"),
    dropouts: Sequence[float] = (0.0, 0.1),
) -> SearchSpace:
    """Make a space of encoders, for texts as token ids.

    Args:
        vocabulary_sizes: Tokens that a student knows; None where the data fixes them.
        lengths: Tokens that a student reads at most. MACs are those of a text of that length.
        max_layers: Most blocks; 0 blocks are in the space always.
        max_width: Largest width of a token, a multiple of ``width_step``.
        width_step: Smallest width, and the step between widths.
        embeddings: Widths of the vocabulary's table, as shares of the width: 1 is not factorised.
        attentions: Names in ``MIXERS``: how tokens learn of each other.
        heads: Of attention; all divide ``width_step``.
        positions: Names in ``POSITIONS``: how attention knows them.
        windows: Tokens on either side that ``local`` attention sees.
        kernels: Odd numbers of tokens that a ``convolution`` sees.
        feedforwards: Numbers inside the feed-forward part, as multiples of the width.
        activations: Names in ``TOKEN_ACTIVATIONS``.
        poolings: Names in ``POOLINGS``: how tokens become one vector; without blocks it is the mean.
        dropouts: Probabilities of dropping a number of a token in training.

    Returns:
        The space ``encoder``, with closed-form costs.

    Raises:
        ValueError: A name is unknown, a range is empty, or sizes do not divide as they must.
    """
    if even := [kernel for kernel in kernels if kernel % 2 == 0]:
        raise ValueError(f"kernels must be odd, got {even}")
    require_divisible(width_step, heads=heads, shares=embeddings, rotary="rotary" in positions)
    deep = at_least("layers", 1)
    attends = one_of("attention", "full", "local")
    choices = [
        *reading_choices(vocabulary_sizes, lengths),
        Choice(name="layers", domain=Integer(low=0, high=max_layers)),
        Choice(name="width", domain=Integer(low=width_step, high=max_width, step=width_step)),
        Choice(name="dropout", domain=Categorical(options=tuple(dropouts))),
    ]
    asked = (
        ("embedding", tuple(embeddings), deep),
        ("attention", known(MIXERS, attentions, what="attention"), deep),
        ("heads", tuple(heads), attends),
        ("positions", known(POSITIONS, positions, what="positions"), attends),
        ("attention.window", tuple(windows), equals("attention", "local")),
        ("attention.kernel", tuple(kernels), equals("attention", "convolution")),
        ("feedforward", tuple(feedforwards), deep),
        ("activation", known(TOKEN_ACTIVATIONS, activations, what="activation"), deep),
        ("pooling", known(POOLINGS, poolings, what="pooling"), deep),
    )
    choices += [Choice(name=name, domain=Categorical(options=options), when=when) for name, options, when in asked]
    return SearchSpace(name="encoder", choices=tuple(choices), build=build_encoder, cost=encoder_cost)


def build_encoder(spec: StudentSpec, signature: ModelSignature) -> nn.Module:
    """Build an untrained encoder; PyTorch's generator decides its weights.

    Raises:
        ValueError: The inputs are no token ids.
    """
    values = spec.values
    model = Encoder(values, vocabulary_size_of(signature), signature.sole_output_shape)
    initialise_blocks(model, layers=int(values["layers"]))
    initialise_embedding(model.embedding)
    return model


def encoder_cost(spec: StudentSpec, signature: ModelSignature) -> Cost:
    """Give parameters of what ``build_encoder`` builds, and its MACs on a text of ``length`` tokens.

    Raises:
        ValueError: The inputs are no token ids.
    """
    values = spec.values
    width, tokens = int(values["width"]), int(values["length"])
    embedding = embedding_cost(
        vocabulary_size=vocabulary_size_of(signature),
        width=width,
        table_width=table_width(values),
        num_positions=num_positions(values),
        tokens=tokens,
    )
    parts = [embedding, linear(width, prod(signature.sole_output_shape))]
    if layers := int(values["layers"]):
        plan = _plan(values)
        parts += [block_cost(plan, tokens)] * layers + [norm_cost(plan.norm, width)]
    return total(*parts)


class Encoder(nn.Module):
    """Embedding, blocks, a last normalisation, one vector a text, head."""

    def __init__(self, values: Values, vocabulary_size: int, output_shape: tuple[int, ...]) -> None:
        """Make the layers.

        Args:
            values: A point of the space.
            vocabulary_size: Tokens, padding among them.
            output_shape: After the batch.
        """
        super().__init__()
        width, layers = int(values["width"]), int(values["layers"])
        self.embedding = Embedding(
            vocabulary_size=vocabulary_size,
            width=width,
            table_width=table_width(values),
            num_positions=num_positions(values),
        )
        self.dropout = nn.Dropout(float(values["dropout"]))
        plan = _plan(values) if layers else None
        self.rotary = Rotary(plan.head_size) if plan is not None and values.get("positions") == "rotary" else None
        self.layers = nn.ModuleList([] if plan is None else [TransformerBlock(plan) for _ in range(layers)])
        self.norm = nn.Identity() if plan is None else layer_norm(width)
        self.pool = POOLINGS[str(values.get("pooling", "mean"))]
        self.head = head(width, output_shape)

    def forward(self, input_ids_BT: Tensor) -> Tensor:
        """Turn token ids into outputs of the signature's shape."""
        seen_BT = seen(input_ids_BT)
        position_T = torch.arange(input_ids_BT.shape[1], device=input_ids_BT.device)
        hidden_BTD = self.dropout(self.embedding(input_ids_BT, position_T))
        rotation = None if self.rotary is None else self.rotary(position_T)
        for block in self.layers:
            hidden_BTD = block(hidden_BTD, seen_BT[:, None, None], rotation)
        output: Tensor = self.head(self.pool(self.norm(hidden_BTD), seen_BT))
        return output


def _plan(values: Values) -> TransformerPlan:
    """Read what all blocks are like."""
    width = int(values["width"])
    heads = int(values.get("heads", 1))
    return TransformerPlan(
        width=width,
        inner=width * int(values["feedforward"]),
        heads=heads,
        kv_heads=heads,
        mixing=str(values["attention"]),
        window=int(values.get("attention.window", 1)),
        kernel=int(values.get("attention.kernel", 1)),
        activation=str(values["activation"]),
        dropout=float(values["dropout"]),
    )
