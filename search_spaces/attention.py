"""Attention of tokens to tokens: all of them, or those nearby.

Shape letters: B = batch, T = positions of queries, S = positions of keys, H = heads of queries, G = heads of keys and
values, d = width of a head, D = width of a token, N = blocks of w tokens,
v = 3 w tokens that a block may see.
"""

import math

import torch
from torch import Tensor, nn

from search_spaces.layer_costs import linear, repeated, total
from search_spaces.rotary import Rotation, rotate
from search_spaces.space import Cost
from search_spaces.transformer_plan import TransformerPlan

_MASKED = -10_000.0
"""Score of what a token cannot see: its softmax is 0, and finite where a token of padding sees nothing at all."""


class Projections(nn.Module):
    """The linear maps around attention: queries, keys and values before it, the output after it."""

    def __init__(self, plan: TransformerPlan) -> None:
        """Make the layers."""
        super().__init__()
        self.head_size = plan.head_size
        self.query = nn.Linear(plan.width, plan.width, bias=plan.bias)
        self.key = nn.Linear(plan.width, plan.kv_width, bias=plan.bias)
        self.value = nn.Linear(plan.width, plan.kv_width, bias=plan.bias)
        self.output = nn.Linear(plan.width, plan.width, bias=plan.bias)

    def forward(self, hidden_BTD: Tensor, rotation: Rotation | None) -> tuple[Tensor, Tensor, Tensor]:
        """Give queries (B, H, T, d), keys and values (B, G, T, d); the first two turned, if at all."""
        query, key, value = (
            layer(hidden_BTD).unflatten(-1, (-1, self.head_size)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        if rotation is not None:
            query, key = rotate(query, rotation), rotate(key, rotation)
        return query, key, value

    def joined(self, mixed_BHTd: Tensor) -> Tensor:
        """Put the heads beside each other and map them, (B, T, D)."""
        output_BTD: Tensor = self.output(mixed_BHTd.transpose(1, 2).flatten(2))
        return output_BTD


def projections_cost(plan: TransformerPlan, tokens: int) -> Cost:
    """Give the cost of ``Projections``."""
    square = linear(plan.width, plan.width, bias=plan.bias)
    narrow = linear(plan.width, plan.kv_width, bias=plan.bias)
    return repeated(total(square, square, narrow, narrow), tokens)


class SelfAttention(nn.Module):
    """Every token looks at every other that the mask lets it see (Vaswani et al., 2017, arXiv 1706.03762).

    Heads of queries may share keys and values (Ainslie et al., 2023, https://arxiv.org/abs/2305.13245).
    """

    def __init__(self, plan: TransformerPlan) -> None:
        """Make the layers."""
        super().__init__()
        self.shared_by = plan.heads // plan.kv_heads
        self.project = Projections(plan)

    def forward(self, hidden_BTD: Tensor, mask: Tensor, rotation: Rotation | None) -> Tensor:
        """Mix tokens.

        Args:
            hidden_BTD: Tokens.
            mask: Bool, true where a position may be seen; broadcasts to (B, H, T, S). Each must see one at least.
            rotation: Of the positions; None where they are told otherwise.

        Returns:
            (B, T, D).
        """
        return self.attend(*self.project(hidden_BTD, rotation), mask=mask)

    def attend(self, query_BHTd: Tensor, key_BGSd: Tensor, value_BGSd: Tensor, *, mask: Tensor) -> Tensor:
        """Look queries up among keys and values, which may be more than those of these tokens; (B, T, D)."""
        mixed_BHTd = nn.functional.scaled_dot_product_attention(
            query_BHTd, key_BGSd, value_BGSd, attn_mask=mask, enable_gqa=self.shared_by > 1
        )
        return self.project.joined(mixed_BHTd)


def self_attention_cost(plan: TransformerPlan, tokens: int) -> Cost:
    """Give the cost of ``SelfAttention``; a causal mask saves nothing, as the kernels compute what it hides."""
    products = Cost(params=0, macs=2 * tokens * tokens * plan.width)
    return total(projections_cost(plan, tokens), products)


class LocalAttention(nn.Module):
    """Every token looks at those at most ``window`` before or after it (Beltagy et al., 2020, arXiv 2004.05150).

    Tokens are taken in blocks of ``window``, each against itself and the two beside it, so that the work grows with
    the length and not with its square. No token sees all others, as that paper's global ones do. Taps cannot see this
    attention: it has no weights of (T, T).
    """

    def __init__(self, plan: TransformerPlan) -> None:
        """Make the layers."""
        super().__init__()
        self.window = plan.window
        self.project = Projections(plan)

    def forward(self, hidden_BTD: Tensor, mask: Tensor, rotation: Rotation | None) -> Tensor:
        """Mix tokens; the mask is (B, 1, 1, T)."""
        length, window = hidden_BTD.shape[1], self.window
        position_T = torch.arange(length, device=hidden_BTD.device)
        # Tokens are picked by position. Cut and filled up instead, a text's length could not stay free in an export.
        first_N1 = window * torch.arange((length + window - 1) // window, device=hidden_BTD.device)[:, None]
        query_Nw = first_N1 + torch.arange(window, device=hidden_BTD.device)
        key_Nv = first_N1 + torch.arange(-window, 2 * window, device=hidden_BTD.device)
        near_Nwv = (query_Nw[:, :, None] - key_Nv[:, None]).abs() <= window
        inside_Nv = (key_Nv >= 0) & (key_Nv < length)
        query_Nw, key_Nv = query_Nw.clamp(max=length - 1), key_Nv.clamp(0, length - 1)
        seen_B1Nv = mask[:, :, 0, key_Nv] & inside_Nv

        query, key, value = self.project(hidden_BTD, rotation)
        query_BHNwd, key_BHNvd, value_BHNvd = query[:, :, query_Nw], key[:, :, key_Nv], value[:, :, key_Nv]
        scores_BHNwv = query_BHNwd @ key_BHNvd.transpose(-2, -1) / math.sqrt(self.project.head_size)
        scores_BHNwv = scores_BHNwv.masked_fill(~(seen_B1Nv[:, :, :, None] & near_Nwv), _MASKED)
        mixed_BHNwd = scores_BHNwv.softmax(dim=-1) @ value_BHNvd
        return self.project.joined(mixed_BHNwd.flatten(2, 3)[:, :, position_T])


def local_attention_cost(plan: TransformerPlan, tokens: int) -> Cost:
    """Give the cost of ``LocalAttention``, with the last block filled up."""
    filled = math.ceil(tokens / plan.window) * plan.window
    products = Cost(params=0, macs=2 * filled * 3 * plan.window * plan.width)
    return total(projections_cost(plan, tokens), products)
