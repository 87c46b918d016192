"""Whether a search's space works, seen from one student."""

import numpy as np

from automl.config import Config
from automl.config.searchable import possible_values
from search_spaces import require_outputs, sample
from trials.aggregation import AGGREGATIONS, traits_of
from trials.heads import check_foldable
from trials.setting import Setting


def try_out(config: Config, setting: Setting) -> None:
    """Build and run one student, so that a space of the user's that does not work is told before the search.

    The same goes for heads, where an aggregation asks for them.

    Args:
        config: Its student and aggregations are read.
        setting: Its space, and what students take in and give out.

    Raises:
        ValueError: The student cannot be built, or does not give what the signature says.
    """
    space = setting.space
    values = config.student.fixed_values(space)
    if values is None:
        values = sample(space.choices, np.random.default_rng(config.seed), forbids=space.forbids)
    spec = space.spec(values)
    signature = setting.signature_of(spec)
    student = f"the student {values}" if values else "its student"
    try:
        model = space.build(spec, signature)
    except Exception as error:
        told = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        tried = f" (tried: {values})" if values else ""
        raise ValueError(f"space {space.name!r} cannot build a student: {told}{tried}") from error
    try:
        require_outputs(model, signature)
    except Exception as error:
        raise ValueError(f"space {space.name!r} built {student}, but {_as_told(error)}") from error
    aggregations = map(str, possible_values(config.recipe.aggregation))
    if any(traits_of(AGGREGATIONS[name]).has_heads for name in aggregations):
        check_foldable(space, spec, signature)


def _as_told(error: Exception) -> str:
    """Give a message of the project's own as it is, any other with its kind."""
    return str(error) if isinstance(error, ValueError) else f"running it raised {type(error).__name__}: {error}"
