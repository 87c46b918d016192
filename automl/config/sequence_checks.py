"""Whether the section ``sequences`` fits the rest of a config."""

from collections.abc import Iterator

from automl.config.config import LANGUAGE_MODELLING, Config
from automl.config.messages import Mistake, unknown
from trials.sequences import SCORERS


def sequence_mistakes(config: Config) -> Iterator[Mistake]:
    """Find what does not fit together."""
    if config.sequences is None:
        return
    if config.task.kind != LANGUAGE_MODELLING:
        yield Mistake(path=("sequences",), message=f"only {LANGUAGE_MODELLING} learns from texts; remove this section")
    elif not config.teachers:
        yield Mistake(path=("sequences",), message="there are no teachers to write; add some, or remove this section")
    score = config.sequences.score
    if ":" not in score and score not in SCORERS:
        yield Mistake(
            path=("sequences", "score"), message=unknown(score, SCORERS, "scorer") + ", or package.module:name"
        )
