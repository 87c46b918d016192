"""The section ``tokenizer``: how texts become tokens."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from automl.config.part import FilePath, Part, PositiveInt
from trials.tokenization import SMALLEST_VOCABULARY


class Tokenizer(Part):
    """How texts become tokens for students; teachers bring their own ways."""

    path: FilePath | None = None
    """A tokenizer.json, or a folder that holds one; null trains one on the training texts."""
    vocabulary_size: Annotated[int, Field(ge=SMALLEST_VOCABULARY)] | None = None
    """Tokens of the one that is trained; null takes as many as a student may have, and 8192 where its space does not
    say."""
    length: PositiveInt = 128
    """Tokens of a text that students see at most, where their space has no choice length."""

    @model_validator(mode="after")
    def _given_or_trained(self) -> Self:
        """Reject the size of a vocabulary that is given."""
        if self.path is not None and self.vocabulary_size is not None:
            raise ValueError("the tokenizer at path has its own vocabulary; leave path or vocabulary_size out")
        return self
