"""How the tokens of a text learn of each other, by name.

Shape letters: B = batch, T = tokens, D = width of a token.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from search_spaces.attention import LocalAttention, SelfAttention, local_attention_cost, self_attention_cost
from search_spaces.layer_costs import linear, repeated, total
from search_spaces.rotary import Rotation
from search_spaces.space import Cost
from search_spaces.transformer_plan import TransformerPlan


class ConvolutionMixing(nn.Module):
    """A kernel a channel along the text, then a map of channels, as in QANet (Yu et al., 2018, arXiv 1804.09541)."""

    def __init__(self, plan: TransformerPlan) -> None:
        """Make the layers."""
        super().__init__()
        self.along = nn.Conv1d(plan.width, plan.width, plan.kernel, padding=plan.kernel // 2, groups=plan.width)
        self.output = nn.Linear(plan.width, plan.width)

    def forward(self, hidden_BTD: Tensor, mask: Tensor, rotation: Rotation | None) -> Tensor:
        """Mix tokens; the mask is (B, 1, 1, T). Padding is as empty as what lies beyond the ends of the text."""
        del rotation  # The kernel knows distances.
        seen_BT1 = mask[:, 0, 0, :, None].to(hidden_BTD.dtype)
        mixed_BTD = self.along((hidden_BTD * seen_BT1).transpose(1, 2)).transpose(1, 2)
        output_BTD: Tensor = self.output(mixed_BTD)
        return output_BTD


def convolution_mixing_cost(plan: TransformerPlan, tokens: int) -> Cost:
    """Give the cost of ``ConvolutionMixing``."""
    kernels = plan.width * plan.kernel
    along = Cost(params=kernels + plan.width, macs=kernels)
    return repeated(total(along, linear(plan.width, plan.width)), tokens)


@dataclass(frozen=True, kw_only=True)
class MixerKind:
    """A way of mixing tokens: how it is built, and what it costs on so many of them."""

    build: Callable[[TransformerPlan], nn.Module]
    cost: Callable[[TransformerPlan, int], Cost]


MIXERS: dict[str, MixerKind] = {
    "full": MixerKind(build=SelfAttention, cost=self_attention_cost),
    "local": MixerKind(build=LocalAttention, cost=local_attention_cost),
    "convolution": MixerKind(build=ConvolutionMixing, cost=convolution_mixing_cost),
}
"""Ways of mixing tokens by name."""
