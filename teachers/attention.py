"""Attention as it is computed: queries, keys, scores and weights beside the fused kernels that give none of them.

Shape letters: B = batch, H = heads, G = heads of keys and values (H, or fewer where queries are grouped),
T = positions of queries, S = positions of keys, d = width of a head.
"""

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

PARTS = ("weights", "scores", "query", "key", "value", "seen")
"""What can be had of an attention; also the suffixes of the names."""

LOWEST_SCORE = -10_000.0
"""Scores of masked positions: the softmax makes zeros of them, and float16 can hold them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attention:
    """One attention of one forward pass, as its kernel was called.

    Args:
        query: (B, H, T, d).
        key: (B, G, S, d).
        value: (B, G, S, d).
        mask: Float, added to scores, or bool, true where a position may be seen; broadcasts to (B, H, T, S).
        causal: Whether a position sees none after it.
        scale: Multiplies the products of queries and keys.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    causal: bool
    scale: float

    @classmethod
    def of_call(  # noqa: PLR0917 - the order of PyTorch's own function, whose callers may give all by position
        cls,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> "Attention":
        """Read the arguments of ``torch.nn.functional.scaled_dot_product_attention``."""
        del dropout_p, enable_gqa  # Weights are told before dropout; numbers of heads speak for themselves.
        scale = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
        return cls(query=query, key=key, value=value, mask=attn_mask, causal=is_causal, scale=scale)

    def part(self, name: str) -> Tensor:
        """Give one of ``PARTS``.

        Returns:
            ``weights`` and ``scores`` (B, H, T, S), ``query`` (B, H, T, d), ``key`` and ``value`` (B, G, S, d), and
            ``seen`` (B, S).
        """
        if name == "seen":
            return self.seen()
        if name in ("query", "key", "value"):
            part: Tensor = getattr(self, name)
            return part
        return self.scores() if name == "scores" else self.weights()

    def scores(self) -> Tensor:
        """Give what goes into the softmax, the mask added, nothing below ``LOWEST_SCORE``; (B, H, T, S)."""
        groups = self.query.shape[-3] // self.key.shape[-3]
        key_BHSd = self.key if groups == 1 else self.key.repeat_interleave(groups, dim=-3)
        scores_BHTS = self.query @ key_BHSd.transpose(-2, -1) * self.scale
        if self.causal:
            # As the kernels mean it: aligned at the first position, also where T and S differ.
            seen_TS = torch.ones(scores_BHTS.shape[-2:], dtype=torch.bool, device=scores_BHTS.device).tril()
            scores_BHTS = scores_BHTS.masked_fill(~seen_TS, LOWEST_SCORE)
        if self.mask is not None and self.mask.dtype == torch.bool:
            scores_BHTS = scores_BHTS.masked_fill(~self.mask, LOWEST_SCORE)
        elif self.mask is not None:
            scores_BHTS = scores_BHTS + self.mask
        return scores_BHTS.clamp(min=LOWEST_SCORE)

    def weights(self) -> Tensor:
        """Give how much each position takes from each; rows sum to 1, or are 0 where all is masked; (B, H, T, S)."""
        scores_BHTS = self.scores()
        blind_BHT1 = scores_BHTS.amax(dim=-1, keepdim=True) <= LOWEST_SCORE
        return scores_BHTS.softmax(dim=-1).masked_fill(blind_BHT1, 0.0)

    def seen(self) -> Tensor:
        """Tell of each position of keys whether any other may see it: 1 or 0, (B, S); padding is seen by none."""
        size_T, size_S = self.query.shape[-2], self.key.shape[-2]
        seen_BHTS = torch.ones(1, 1, size_T, size_S, dtype=torch.bool, device=self.query.device)
        if self.causal:
            seen_BHTS = seen_BHTS.tril()
        if self.mask is not None:
            seen_BHTS = seen_BHTS & (self.mask if self.mask.dtype == torch.bool else self.mask > LOWEST_SCORE)
        return seen_BHTS.any(dim=-2).any(dim=1).expand(len(self.query), size_S).to(self.query.dtype)


class AttentionRecorder(TorchFunctionMode):
    """Notes each call of PyTorch's attention while it is entered; what the model computes stays as it is.

    It sees ``torch.nn.functional.scaled_dot_product_attention``, however a library reaches it, and
    ``nn.MultiheadAttention``, whose fast path PyTorch leaves aside while a mode like this one is on. Attention that is
    written out as a product and a softmax cannot be seen.
    """

    def __init__(self, wanted: Collection[int] | None = None) -> None:
        """Start with none.

        Args:
            wanted: Numbers of the calls to keep, from 1; None keeps all.
        """
        super().__init__()
        self._wanted = wanted
        self.num_calls = 0
        self.calls: dict[int, Attention] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # whatever the function returns
        """Call a function of PyTorch, and note it if it is attention."""
        del types
        kwargs = kwargs or {}
        if func is nn.functional.scaled_dot_product_attention:
            return self._attend(*args, **kwargs)
        if func is nn.functional.multi_head_attention_forward:
            return self._attend_multi_head(*args, **kwargs)
        return func(*args, **kwargs)

    def _attend(self, *args: Any, **kwargs: Any) -> Tensor:  # as the function takes them
        self.num_calls += 1
        if self._wanted is None or self.num_calls in self._wanted:
            self.calls[self.num_calls] = Attention.of_call(*args, **kwargs)
        return nn.functional.scaled_dot_product_attention(*args, **kwargs)

    def _attend_multi_head(self, *args: Any, **kwargs: Any) -> Any:  # as above
        """Run ``nn.MultiheadAttention``; where it was to give weights it uses no kernel, so one is run beside it."""
        # The function hands itself to this mode as long as one is on. Its own code, told that there is none and whom
        # to call for attention, runs through.
        changed = {"has_torch_function": lambda _: False, "scaled_dot_product_attention": self._attend}
        seen = _with_globals(nn.functional.multi_head_attention_forward, changed)
        bound = inspect.signature(nn.functional.multi_head_attention_forward).bind(*args, **kwargs)
        bound.apply_defaults()
        if not bound.arguments["need_weights"]:
            return seen(*args, **kwargs)
        # Beside the causal hint there is always the mask that it speaks of.
        bound.arguments |= {"need_weights": False, "training": False, "is_causal": False}
        seen(*bound.args, **bound.kwargs)
        return _with_globals(nn.functional.multi_head_attention_forward, {"has_torch_function": lambda _: False})(
            *args, **kwargs
        )


def _with_globals(function: Callable[..., Any], changed: Mapping[str, object]) -> Callable[..., Any]:
    """Copy a function so that some of the names it uses mean something else."""
    assert isinstance(function, FunctionType)
    names = {**function.__globals__, **changed}
    copied = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied
