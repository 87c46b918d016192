"""How good a text is that a teacher wrote after a prompt."""

from collections.abc import Callable

from search_spaces.imports import import_object
from teachers import Generation
from trials.sequences.chrf import chrf
from trials.syntax import parses_so_far

Score = Callable[[str, Generation, str], float | bool]
"""From a prompt, what was written after it, and what stands there in the data, to a score; higher is better. A truth
value is a check: what does not pass is never kept, and what passes is told apart by ``likelihood``."""


def likelihood(prompt: str, written: Generation, reference: str) -> float:
    """Take the teacher's log probability, for each byte of the text: a sum would choose the shortest.

    The end of a text that ended counts as a byte.

    Raises:
        ValueError: The teacher does not tell.
    """
    del prompt, reference
    if written.log_probability is None:
        raise ValueError("this teacher tells no probabilities of what it writes; score by reference, or by a check")
    return written.log_probability / max(1, len(written.text.encode()) + written.ended)


def reference(prompt: str, written: Generation, reference: str) -> float:
    """Compare with how the prompt goes on in the data; see ``chrf``."""
    del prompt
    return chrf(written.text, reference)


def parses(prompt: str, written: Generation, reference: str) -> bool:
    """Check that prompt and text together are Python as far as they go: what is open may still be closed.

    A last line that was not written to its end may be wrong, since a model that is stopped stops anywhere.
    """
    del reference
    whole_lines = written.text[: written.text.rfind("\n") + 1]
    return any(text.strip() and parses_so_far(prompt + text) for text in (written.text, whole_lines))


SCORERS: dict[str, Score] = {"likelihood": likelihood, "reference": reference, "parses": parses}
"""Scorers by name; a name with a colon is imported instead: ``package.module:name``."""


def find_scorer(name: str) -> Score:
    """Look a scorer up in the catalog, or import it.

    Raises:
        ValueError: There is none of this name.
    """
    if ":" in name:
        found = import_object(name)
        if not callable(found):
            raise ValueError(f"scorer {name!r} must be a function, got {type(found).__name__}")
        scorer: Score = found
        return scorer
    if name not in SCORERS:
        raise ValueError(f"unknown scorer {name!r}; scorers are {', '.join(sorted(SCORERS))}, or package.module:name")
    return SCORERS[name]
