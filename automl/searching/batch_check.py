"""Whether an epoch has more than one step."""

import numpy as np

from automl.config.searchable import possible_values
from automl.preparation.prepare import Prepared
from search_spaces import sample


def oversized_batch(prepared: Prepared) -> str:
    """Say that a batch can hold more rows than teach anything, so that an epoch is a single step.

    Returns:
        A sentence with its place in the config; empty where every batch is smaller.
    """
    config = prepared.config
    largest = max(int(size) for size in possible_values(config.recipe.batch_size))
    generator = np.random.default_rng(config.seed)
    trial = prepared.trial(0, sample(prepared.choices, generator, forbids=prepared.space.forbids))
    try:
        rows = len(prepared.setting.lesson(trial).rows())
    except ValueError:  # Nothing teaches under this recipe; others may, and a trial says it best.
        return ""
    if largest <= rows:
        return ""
    return (
        f"{config.place('recipe', 'batch_size')}: a batch of {largest:,} is more than the {rows:,} training rows "
        f"that teach anything, so that an epoch is a single step; write at most {max(1, rows // 4):,}, or raise epochs"
    )
