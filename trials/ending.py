"""The token that ends a text; never imports torch, since exported students write without it."""

from trials.tokenization import Tokenizer

ENDS = ("<|endoftext|>", "<end>", "</s>", "<eos>", "<|end_of_text|>", "[EOS]", "[SEP]")
"""What it is called, by who trained the tokenizer."""


def end_of(tokenizer: Tokenizer) -> int:
    """Find the token that ends a text.

    Raises:
        ValueError: The tokenizer has none that is known.
    """
    vocabulary = tokenizer.vocabulary
    for token in ENDS:
        if token in vocabulary:
            return vocabulary[token]
    raise ValueError(f"the tokenizer has no token that ends a text; one of {', '.join(ENDS)} is looked for")
