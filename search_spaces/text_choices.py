"""Choices that encoders and decoders share, and how they are read."""

from collections.abc import Sequence

from search_spaces.choices import Categorical, Choice, Values

POSITIONS: dict[str, bool] = {"learnt": True, "rotary": False}
"""How attention knows the positions of tokens, and whether by a table with a row for each."""


def reading_choices(vocabulary_sizes: Sequence[int] | None, lengths: Sequence[int] | None) -> list[Choice]:
    """Make the choices that shape what a student reads: ``vocabulary_size`` and ``length``.

    Args:
        vocabulary_sizes: Tokens that a student knows, padding among them; None for no such choice.
        lengths: Tokens that a student reads at most; None for no such choice.

    Raises:
        ValueError: A size is too small.
    """
    choices = []
    if vocabulary_sizes is not None:
        if min(vocabulary_sizes, default=2) < 2:
            raise ValueError(f"vocabulary_sizes must be at least 2, padding and a token, got {list(vocabulary_sizes)}")
        choices.append(Choice(name="vocabulary_size", domain=Categorical(options=tuple(vocabulary_sizes))))
    if lengths is not None:
        if min(lengths, default=1) < 1:
            raise ValueError(f"lengths must be at least 1, got {list(lengths)}")
        choices.append(Choice(name="length", domain=Categorical(options=tuple(lengths))))
    return choices


def require_divisible(width_step: int, *, heads: Sequence[int], shares: Sequence[float], rotary: bool) -> None:
    """Make sure that every width of the space can be split as its other choices say.

    Args:
        width_step: Every width is a multiple of it.
        heads: Numbers of heads.
        shares: Widths of the vocabulary's table, as shares of the width.
        rotary: Whether positions may be rotary, which turns the numbers of a head in pairs.

    Raises:
        ValueError: It cannot.
    """
    for number in heads:
        if number < 1 or width_step % (number * (1 + rotary)):
            even = " into heads of an even width, as rotary positions need" if rotary else ""
            raise ValueError(f"width_step must be a multiple of {number} heads{even}, got {width_step}")
    for share in shares:
        if not 0 < share <= 1 or not (width_step * share).is_integer():
            raise ValueError(f"embeddings must be shares of the width, whole of {width_step}, got {share}")


def table_width(values: Values) -> int:
    """Give the width of the vocabulary's table."""
    return int(int(values["width"]) * float(values.get("embedding", 1.0)))


def num_positions(values: Values) -> int:
    """Give the rows of the table of positions; 0 where there is none."""
    return int(values["length"]) if POSITIONS.get(str(values.get("positions")), False) else 0
