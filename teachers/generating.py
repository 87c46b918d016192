"""Teachers that write: texts that go on after a prompt, for distillation at the level of sequences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What a teacher wrote after a prompt.

    Args:
        text: Without the prompt, and without the token that ended it.
        log_probability: Natural logarithm of the probability of the whole text given the prompt, at temperature 1, the
            token that ended it included, if one did; None where the teacher does not tell.
        score: How good it is by whatever measure came with it, higher is better; None without one.
        ended: Whether it ended by itself; False where it was cut at the most tokens. What comes without word of it
            counts as whole.
    """

    text: str
    log_probability: float | None = None
    score: float | None = None
    ended: bool = True

    def __post_init__(self) -> None:
        """Reject what is no logarithm of a probability; rounding may lift it a little above 0."""
        if self.log_probability is not None and not self.log_probability <= 1e-3:
            raise ValueError(f"log_probability must be at most 0, got {self.log_probability}")


@runtime_checkable
class Generator(Protocol):
    """A teacher's model that writes; ``Teacher.model`` is one where ``isinstance`` says so."""

    def generate(
        self, prompts: Sequence[str], *, samples: int, temperature: float, max_new_tokens: int, seed: int
    ) -> list[list[Generation]]:
        """Go on after each prompt.

        What is written after a prompt depends on the prompt and the settings, never on the other prompts, so that it
        can be kept under their names together with ``Teacher.digest``.

        Args:
            prompts: Any number of them.
            samples: Texts to write after each, at least 1.
            temperature: At least 0; 0 takes the likeliest token each time, so that all samples are one.
            max_new_tokens: Tokens of a text at most, as the teacher counts them; at least 1.
            seed: Decides what is drawn, where the teacher can be told.

        Returns:
            For each prompt, in order, at most ``samples`` texts; fewer where the teacher has no more, so that the list
            of a prompt that it has no text for is empty.

        Raises:
            ValueError: A setting is out of range, or the teacher cannot answer.
        """
        ...


def check_settings(*, samples: int, temperature: float, max_new_tokens: int) -> None:
    """Reject settings of ``Generator.generate`` that are out of range.

    Raises:
        ValueError: One is.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    if not temperature >= 0:
        raise ValueError(f"temperature must be at least 0, got {temperature}")
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
