"""Token ids as vectors, and what is padding among them.

Shape letters: B = batch, T = tokens, E = width of an entry of the vocabulary, D = width of a token.
"""

import torch
from torch import Tensor, nn

from search_spaces.layer_costs import linear, repeated, total
from search_spaces.signature import ModelSignature
from search_spaces.space import Cost

PADDING = 0
"""Id of what fills a text up to the length of its batch, always at the end."""

_POSITION_SPREAD = 0.1
"""Standard deviation of positions at the start, beside 1 of tokens, so that what is said counts more than where."""


class Embedding(nn.Module):
    """A vector for each token, from a narrower table where it is factorised, plus one for its position, if at all.

    Factorised as in ALBERT (Lan et al., 2020, https://arxiv.org/abs/1909.11942, section 3.1): a table of V × E numbers
    and a map of E × D in the place of V × D. Vectors are multiplied by the root of E (Vaswani et al., 2017, arXiv
    1706.03762, section 3.4), so that the table may serve the output as well.
    """

    def __init__(self, *, vocabulary_size: int, width: int, table_width: int, num_positions: int = 0) -> None:
        """Make the layers.

        Args:
            vocabulary_size: V.
            width: D.
            table_width: E, at most D; a map follows where it is less.
            num_positions: Longest text, where positions are learnt; 0 where they are not.
        """
        super().__init__()
        self.tokens = nn.Embedding(vocabulary_size, table_width)
        self.widen = nn.Linear(table_width, width, bias=False) if table_width < width else None
        self.positions = nn.Embedding(num_positions, width) if num_positions else None
        self.scale = table_width**0.5

    def forward(self, input_ids_BT: Tensor, position_T: Tensor) -> Tensor:
        """Turn ids into vectors (B, T, D)."""
        hidden: Tensor = self.tokens(input_ids_BT) * self.scale
        if self.widen is not None:
            hidden = self.widen(hidden)
        if self.positions is not None:
            hidden = hidden + self.positions(position_T)
        return hidden


def embedding_cost(*, vocabulary_size: int, width: int, table_width: int, num_positions: int, tokens: int) -> Cost:
    """Give the cost of an ``Embedding`` on so many tokens; looking up takes no MACs."""
    tables = Cost(params=vocabulary_size * table_width + num_positions * width, macs=0)
    if table_width == width:
        return tables
    return total(tables, repeated(linear(table_width, width, bias=False), tokens))


def initialise_embedding(embedding: Embedding) -> None:
    """Give the tables their start, drawn from PyTorch's generator; token vectors have numbers of deviation 1."""
    nn.init.normal_(embedding.tokens.weight, std=1 / embedding.scale)
    if embedding.positions is not None:
        nn.init.normal_(embedding.positions.weight, std=_POSITION_SPREAD)


def seen(input_ids_BT: Tensor) -> Tensor:
    """Tell what is no padding, bool (B, T).

    The first token counts as seen whatever it is: a text that is all padding then has one, and no mean over none.
    """
    first_T = torch.arange(input_ids_BT.shape[1], device=input_ids_BT.device) == 0
    return (input_ids_BT != PADDING) | first_T


def vocabulary_size_of(signature: ModelSignature) -> int:
    """Give the number of tokens that a student of texts knows.

    Raises:
        ValueError: The inputs are no token ids.
    """
    (tensor, *others) = signature.inputs
    if signature.vocabulary_size is None or len(tensor.shape) != 1 or others:
        asked = ", ".join(map(str, signature.inputs))
        raise ValueError(
            f"a text student needs one input of token ids (tokens,) and a vocabulary, got {asked} and "
            f"a vocabulary of {signature.vocabulary_size}; use mlp or convnet for numbers and images"
        )
    return signature.vocabulary_size
