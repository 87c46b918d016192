"""The blocks of a transformer: tokens are mixed, then each is thought over by itself.

Shape letters: B = batch, T = tokens, D = width of a token.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from search_spaces.attention import SelfAttention
from search_spaces.layer_costs import linear, normalisation, repeated, total
from search_spaces.layers import ACTIVATIONS
from search_spaces.rotary import Rotation
from search_spaces.space import Cost
from search_spaces.token_mixing import MIXERS
from search_spaces.transformer_plan import TransformerPlan

_EPSILON = 1e-6


def layer_norm(width: int) -> nn.Module:
    """Make a normalisation by mean and deviation, with scale and shift."""
    return nn.LayerNorm(width, eps=_EPSILON)


def rms_norm(width: int) -> nn.Module:
    """Make a normalisation by size alone, with scale (Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467)."""
    return nn.RMSNorm(width, eps=_EPSILON)


NORMS: dict[str, Callable[[int], nn.Module]] = {"layer": layer_norm, "rms": rms_norm}
"""What stands before each part of a block, and after the last one."""


def norm_cost(norm: str, width: int) -> Cost:
    """Give the cost of one of ``NORMS``."""
    return normalisation(width) if norm == "layer" else Cost(params=width, macs=0)


TOKEN_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {**ACTIVATIONS, "gelu": nn.GELU}
"""Functions inside the feed-forward part; GELU, usual in transformers, is not offered to other spaces."""


class FeedForward(nn.Module):
    """Two linear layers with a function between them; or three, where a gate multiplies (SwiGLU).

    Gates are of Shazeer, 2020, https://arxiv.org/abs/2002.05202, equation 6.
    """

    def __init__(self, plan: TransformerPlan) -> None:
        """Make the layers."""
        super().__init__()
        self.inner = nn.Linear(plan.width, plan.inner, bias=plan.bias)
        self.activation = TOKEN_ACTIVATIONS[plan.activation]()
        self.gate = nn.Linear(plan.width, plan.inner, bias=plan.bias) if plan.gated else None
        self.output = nn.Linear(plan.inner, plan.width, bias=plan.bias)

    def forward(self, hidden_BTD: Tensor) -> Tensor:
        """Apply the layers to each token."""
        inner: Tensor = self.activation(self.inner(hidden_BTD))
        if self.gate is not None:
            inner = inner * self.gate(hidden_BTD)
        output_BTD: Tensor = self.output(inner)
        return output_BTD


class TransformerBlock(nn.Module):
    """Both parts add to what came in, each behind its normalisation (Xiong et al., 2020, arXiv 2002.04745)."""

    def __init__(self, plan: TransformerPlan) -> None:
        """Make the layers."""
        super().__init__()
        self.mix_norm = NORMS[plan.norm](plan.width)
        self.mix = MIXERS[plan.mixing].build(plan)
        self.feedforward_norm = NORMS[plan.norm](plan.width)
        self.feedforward = FeedForward(plan)
        self.dropout = nn.Dropout(plan.dropout)

    def forward(self, hidden_BTD: Tensor, mask: Tensor, rotation: Rotation | None) -> Tensor:
        """Apply the block; see ``SelfAttention`` for the mask."""
        return self._thought_over(hidden_BTD + self.dropout(self.mix(self.mix_norm(hidden_BTD), mask, rotation)))

    def step(
        self, hidden_BTD: Tensor, mask: Tensor, rotation: Rotation | None, past: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Apply the block, of full attention, to tokens that follow others.

        Args:
            hidden_BTD: Tokens.
            mask: Bool, broadcasts to (B, H, T, P + T).
            rotation: Of the tokens' positions.
            past: Keys and values of the P tokens before, each (B, kv_heads, P, head_size).

        Returns:
            What ``forward`` gives for these tokens, and keys and values of all P + T.
        """
        assert isinstance(self.mix, SelfAttention)
        query, key, value = self.mix.project(self.mix_norm(hidden_BTD), rotation)
        present = (torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2))
        mixed_BTD = self.mix.attend(query, *present, mask=mask)
        return self._thought_over(hidden_BTD + self.dropout(mixed_BTD)), present

    def _thought_over(self, hidden_BTD: Tensor) -> Tensor:
        output_BTD: Tensor = hidden_BTD + self.dropout(self.feedforward(self.feedforward_norm(hidden_BTD)))
        return output_BTD


def block_cost(plan: TransformerPlan, tokens: int) -> Cost:
    """Give the cost of a ``TransformerBlock``."""
    inwards = linear(plan.width, plan.inner, bias=plan.bias)
    outwards = linear(plan.inner, plan.width, bias=plan.bias)
    return total(
        MIXERS[plan.mixing].cost(plan, tokens),
        repeated(total(*[inwards] * (1 + plan.gated), outwards), tokens),
        *[norm_cost(plan.norm, plan.width)] * 2,
    )


def initialise_blocks(model: nn.Module, *, layers: int) -> None:
    """Give linear layers and convolutions their start, drawn from PyTorch's generator.

    Weights are normal with the variance that keeps the size of what comes in (LeCun et al., 1998, Efficient BackProp,
    equation 16). Those that end a part of a block are smaller by the root of the number of parts, since all parts add
    up (Radford et al., 2019, Language Models are Unsupervised Multitask Learners, section 2.3). Biases are 0.

    Args:
        model: Any, with blocks or without.
        layers: Blocks in it.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv1d):
            ends_part = name.rpartition(".")[2] == "output"
            scale = (2 * layers) ** -0.5 if ends_part else 1.0
            nn.init.normal_(module.weight, std=scale * module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
