"""Transformers that continue texts: causal language models, small.

Token ids come in, padding 0 at their end; logits of the next token come out at each position. What a position sees is
itself and what stands before it, so that tokens can be generated one at a time with the keys and values of those before
kept: see ``decoder_cache``.

Shape letters: B = batch, T = tokens, S = tokens seen, D = width of a token, E = width of an entry of the vocabulary,
V = vocabulary.
"""

from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor, nn

from search_spaces.choices import Categorical, Choice, Integer, Values
from search_spaces.conditions import equals
from search_spaces.embedding import Embedding, embedding_cost, initialise_embedding, seen, vocabulary_size_of
from search_spaces.layer_costs import linear, repeated, total
from search_spaces.layers import known
from search_spaces.rotary import Rotary
from search_spaces.signature import ModelSignature
from search_spaces.space import Cost, SearchSpace
from search_spaces.spec import StudentSpec
from search_spaces.text_choices import POSITIONS, num_positions, reading_choices, require_divisible, table_width
from search_spaces.transformer_blocks import NORMS, TransformerBlock, block_cost, initialise_blocks, norm_cost
from search_spaces.transformer_plan import TransformerPlan

GATED: dict[str, bool] = {"gelu": False, "swiglu": True}
"""Kinds of the feed-forward part, and whether it has a gate."""

_GATED_STEP = 4
"""Step of the numbers inside a gated part; processors multiply by fours and eights."""

KeysAndValues = tuple[Tensor, ...]
"""Of each block in turn its keys and its values, each (B, kv_heads, S, head_size)."""


def decoder(
    *,
    vocabulary_sizes: Sequence[int] | None = None,
    lengths: Sequence[int] = (128, 256),
    max_layers: int = 8,
    max_width: int = 512,
    width_step: int = 16,
    embeddings: Sequence[float] = (1.0, 0.5, 0.25),
    tied: Sequence[bool] = (True, False),
    heads: Sequence[int] = (1, 2, 4),
    kv_shares: Sequence[float] = (1.0, 0.5, 0.25),
    positions: Sequence[str] = ("rotary", "learnt"),
    norms: Sequence[str] = ("layer", "rms"),
    feedforwards: Sequence[int] = (1, 2, 4),
    feedforward_kinds: Sequence[str] = ("gelu", "swiglu"),
    dropouts: Sequence[float] = (0.0, 0.1),
) -> SearchSpace:
    """Make a space of decoders, for texts as token ids.

    Args:
        vocabulary_sizes: Tokens that a student knows; None where the teachers' tokenizer fixes them.
        lengths: Tokens that a student reads at most. MACs are those of a text of that length.
        max_layers: Most blocks, at least 1.
        max_width: Largest width of a token, a multiple of ``width_step``.
        width_step: Smallest width, and the step between widths.
        embeddings: Widths of the vocabulary's tables, as shares of the width: 1 is not factorised.
        tied: Whether the output reads the table of the input.
        heads: Of queries; all divide ``width_step``.
        kv_shares: Heads of keys and values, as shares of those of queries: less is grouped-query attention (Ainslie et
            al., 2023). What is no whole number is left out.
        positions: Names in ``POSITIONS``.
        norms: Names in ``NORMS``.
        feedforwards: Numbers inside the feed-forward part, as multiples of the width; with a gate two thirds of that,
            rounded up to fours, so that both kinds have as many parameters (Shazeer, 2020, section 3).
        feedforward_kinds: Names in ``GATED``.
        dropouts: Probabilities of dropping a number of a token in training.

    Returns:
        The space ``decoder``, with closed-form costs.

    Raises:
        ValueError: A name is unknown, a range is empty, or sizes do not divide as they must.
    """
    require_divisible(width_step, heads=heads, shares=embeddings, rotary="rotary" in positions)
    asked = (
        ("dropout", tuple(dropouts)),
        ("embedding", tuple(embeddings)),
        ("tied", tuple(tied)),
        ("positions", known(POSITIONS, positions, what="positions")),
        ("norm", known(NORMS, norms, what="norm")),
        ("feedforward", tuple(feedforwards)),
        ("feedforward.kind", known(GATED, feedforward_kinds, what="feed-forward part")),
        ("heads", tuple(heads)),
    )
    choices = (
        *reading_choices(vocabulary_sizes, lengths),
        Choice(name="layers", domain=Integer(low=1, high=max_layers)),
        Choice(name="width", domain=Integer(low=width_step, high=max_width, step=width_step)),
        *(Choice(name=name, domain=Categorical(options=options)) for name, options in asked),
        *_kv_choices(heads, kv_shares),
    )
    return SearchSpace(name="decoder", choices=choices, build=build_decoder, cost=decoder_cost)


def build_decoder(spec: StudentSpec, signature: ModelSignature) -> "Decoder":
    """Build an untrained decoder; PyTorch's generator decides its weights.

    Raises:
        ValueError: The inputs are no token ids, or the outputs are not a row of logits for each.
    """
    model = Decoder(spec.values, _vocabulary_size(signature))
    initialise_blocks(model, layers=int(spec.values["layers"]))
    # After the head, which may share its table.
    initialise_embedding(model.embedding)
    return model


def decoder_cost(spec: StudentSpec, signature: ModelSignature) -> Cost:
    """Give parameters of what ``build_decoder`` builds, and its MACs on a text of ``length`` tokens.

    Raises:
        ValueError: The inputs are no token ids, or the outputs are not a row of logits for each.
    """
    values = spec.values
    size, width, narrow = _vocabulary_size(signature), int(values["width"]), table_width(values)
    layers, tokens = int(values["layers"]), int(values["length"])
    plan = plan_of(values)
    embedding = embedding_cost(
        vocabulary_size=size, width=width, table_width=narrow, num_positions=num_positions(values), tokens=tokens
    )
    outputs = linear(narrow, size, bias=False)
    head = [Cost(params=0, macs=outputs.macs) if values["tied"] else outputs]
    if narrow < width:
        head.append(linear(width, narrow, bias=False))
    blocks = [block_cost(plan, tokens)] * layers
    return total(embedding, *blocks, norm_cost(plan.norm, width), repeated(total(*head), tokens))


class VocabularyHead(nn.Module):
    """Logits of each token of the vocabulary, by a narrower table where the input's is (Lan et al., 2020)."""

    def __init__(self, *, vocabulary_size: int, width: int, table_width: int) -> None:
        """Make the layers; arguments as those of ``Embedding``."""
        super().__init__()
        self.narrow = nn.Linear(width, table_width, bias=False) if table_width < width else None
        self.tokens = nn.Linear(table_width, vocabulary_size, bias=False)

    def forward(self, hidden_BTD: Tensor) -> Tensor:
        """Give logits (B, T, V)."""
        logits_BTV: Tensor = self.tokens(hidden_BTD if self.narrow is None else self.narrow(hidden_BTD))
        return logits_BTV


class Decoder(nn.Module):
    """Embedding, blocks, a last normalisation, head."""

    def __init__(self, values: Values, vocabulary_size: int) -> None:
        """Make the layers.

        Args:
            values: A point of the space.
            vocabulary_size: Tokens, padding among them.
        """
        super().__init__()
        plan = plan_of(values)
        sizes = {"vocabulary_size": vocabulary_size, "width": plan.width, "table_width": table_width(values)}
        self.embedding = Embedding(**sizes, num_positions=num_positions(values))
        self.dropout = nn.Dropout(plan.dropout)
        self.rotary = Rotary(plan.head_size) if values["positions"] == "rotary" else None
        self.layers = nn.ModuleList(TransformerBlock(plan) for _ in range(int(values["layers"])))
        self.norm = NORMS[plan.norm](plan.width)
        self.head = VocabularyHead(**sizes)
        if values["tied"]:
            # Press and Wolf, 2017, https://arxiv.org/abs/1608.05859.
            self.head.tokens.weight = self.embedding.tokens.weight

    def forward(self, input_ids_BT: Tensor) -> Tensor:
        """Turn token ids into logits of the token after each, (B, T, V); those at padding mean nothing."""
        logits_BTV: Tensor = self.head(self.hidden(input_ids_BT))
        return logits_BTV

    def hidden(self, input_ids_BT: Tensor) -> Tensor:
        """Turn token ids into what the head reads, (B, T, D), so that logits can be had of a few tokens at a time."""
        position_T = torch.arange(input_ids_BT.shape[1], device=input_ids_BT.device)
        hidden_BTD, rotation = self._embedded(input_ids_BT, position_T)
        mask_B1TS = seen(input_ids_BT)[:, None, None] & (position_T <= position_T[:, None])
        for block in self.layers:
            hidden_BTD = block(hidden_BTD, mask_B1TS, rotation)
        normed_BTD: Tensor = self.norm(hidden_BTD)
        return normed_BTD

    def step(self, input_ids_BT: Tensor, past: KeysAndValues) -> tuple[Tensor, KeysAndValues]:
        """Do what ``go_on`` does, and give logits (B, 1, V) of the token after the last one."""
        hidden_BTD, present = self.go_on(input_ids_BT, past)
        logits_B1V: Tensor = self.head(hidden_BTD[:, -1:])
        return logits_B1V, present

    def go_on(self, input_ids_BT: Tensor, past: KeysAndValues) -> tuple[Tensor, KeysAndValues]:
        """Go on from tokens whose keys and values were kept.

        Args:
            input_ids_BT: Tokens that follow; padding stands at their end, where no other token sees it.
            past: Of the P tokens before, none of them padding; P may be 0.

        Returns:
            What the head reads (B, T, D), and keys and values of all P + T tokens.
        """
        before, length = past[0].shape[2], input_ids_BT.shape[1]
        position_S = torch.arange(before + length, device=input_ids_BT.device)
        position_T = before + torch.arange(length, device=input_ids_BT.device)
        hidden_BTD, rotation = self._embedded(input_ids_BT, position_T)
        mask_TS = position_S <= position_T[:, None]
        present: list[Tensor] = []
        for block, keys, values in zip(self.layers, past[::2], past[1::2], strict=True):
            assert isinstance(block, TransformerBlock)
            hidden_BTD, kept = block.step(hidden_BTD, mask_TS, rotation, (keys, values))
            present += kept
        normed_BTD: Tensor = self.norm(hidden_BTD)
        return normed_BTD, tuple(present)

    def _embedded(self, input_ids_BT: Tensor, position_T: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        hidden_BTD = self.dropout(self.embedding(input_ids_BT, position_T))
        return hidden_BTD, None if self.rotary is None else self.rotary(position_T)


def plan_of(values: Values) -> TransformerPlan:
    """Read what all blocks of a point are like."""
    width, heads, kind = int(values["width"]), int(values["heads"]), str(values["feedforward.kind"])
    inner = width * int(values["feedforward"])
    return TransformerPlan(
        width=width,
        inner=_GATED_STEP * ceil(2 * inner / 3 / _GATED_STEP) if GATED[kind] else inner,
        heads=heads,
        kv_heads=int(values.get(_kv_name(heads), heads)),
        activation="silu" if GATED[kind] else "gelu",
        norm=str(values["norm"]),
        gated=GATED[kind],
        bias=False,
        dropout=float(values["dropout"]),
    )


def _kv_choices(heads: Sequence[int], shares: Sequence[float]) -> list[Choice]:
    """Make a choice for each number of heads, so that none is asked where there is one answer only."""
    choices = []
    for number in heads:
        options = sorted({int(number * share) for share in shares if (number * share).is_integer() and share > 0})
        if not options or options[-1] > number:
            raise ValueError(f"kv_shares must give 1 to {number} of {number} heads, got {list(shares)}")
        if number > 1:
            domain = Categorical(options=tuple(options))
            choices.append(Choice(name=_kv_name(number), domain=domain, when=equals("heads", number)))
    return choices


def _kv_name(heads: int) -> str:
    return f"heads{heads}.kv_heads"


def _vocabulary_size(signature: ModelSignature) -> int:
    size = vocabulary_size_of(signature)
    if [tensor.shape for tensor in signature.outputs] != [(None, size)]:
        asked = ", ".join(map(str, signature.outputs))
        raise ValueError(f"a decoder gives logits (tokens, {size}), and {asked} is asked for; use encoder")
    return size
