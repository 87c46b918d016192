"""What the blocks of a transformer must know of each other."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformerPlan:
    """All that a block must know; a kind of block reads what it needs.

    Args:
        width: Numbers of a token between blocks.
        inner: Numbers of a token inside the feed-forward part.
        heads: Of queries; they divide the width.
        kv_heads: Of keys and values; they divide the heads.
        mixing: How tokens learn of each other: a name in ``MIXERS``.
        window: Tokens that local attention sees on either side.
        kernel: Odd; tokens that a convolution sees.
        activation: A name in ``TOKEN_ACTIVATIONS``.
        norm: A name in ``NORMS``.
        gated: Whether the feed-forward part multiplies by a gate.
        bias: Whether linear layers have one.
        dropout: Probability of dropping a number of what a part adds.
    """

    width: int
    inner: int
    heads: int = 1
    kv_heads: int = 1
    mixing: str = "full"
    window: int = 1
    kernel: int = 1
    activation: str = "gelu"
    norm: str = "layer"
    gated: bool = False
    bias: bool = True
    dropout: float = 0.0

    @property
    def head_size(self) -> int:
        """Numbers of a token in one head."""
        return self.width // self.heads

    @property
    def kv_width(self) -> int:
        """Numbers of a token in all heads of keys, or of values."""
        return self.kv_heads * self.head_size
