"""The section ``sequences``: texts that teachers write before any trial, of which students learn from the best."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from automl.config.part import CatalogName, NaturalReal, Part, PositiveInt


class Sequences(Part):
    """Texts that teachers write before any trial; the best become rows that students learn from."""

    prompts: PositiveInt = 256
    """Training documents whose beginnings teachers go on from, at most."""
    prompt: PositiveInt = 16
    """Tokens of a document that are its beginning."""
    samples: PositiveInt = 4
    """Texts that each teacher writes after a beginning."""
    temperature: NaturalReal = 0.8
    """Of the probabilities that tokens are drawn from; 0 takes the likeliest, so that all samples are one."""
    max_new_tokens: PositiveInt = 64
    """Tokens of a text at most."""
    keep: PositiveInt = 1
    """Texts after each beginning that students learn from, of all teachers together."""
    score: CatalogName = "likelihood"
    """What is best: likelihood (to the teacher that wrote it), reference (near how the document goes on, by chrF),
    parses (is Python), or package.module:name of a function of prompt, text and reference."""
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Of the training rows that the texts shall be: they are repeated, or cut off; 1 leaves nothing else; null takes
    each once."""

    @model_validator(mode="after")
    def _has_a_best(self) -> Self:
        """Reject what would keep all."""
        if self.temperature == 0 and self.samples > 1:
            raise ValueError(f"at temperature 0 all samples are one, got samples {self.samples}; write samples: 1")
        return self
