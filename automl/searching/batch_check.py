"""Whether an epoch has more than one step."""

import numpy as np

from automl.config.searchable import possible_values
from automl.preparation.prepare import Prepared
from search_spaces import sample
from trials.lesson import rows_that_teach


def oversized_batch(prepared: Prepared) -> str:
    """Say that a batch can hold more rows than teach anything, so that an epoch is a single step.

    Returns:
        A sentence with its place in the config; empty where every batch is smaller.
    """
    config = prepared.config
    largest = max(int(size) for size in possible_values(config.recipe.batch_size))
    generator = np.random.default_rng(config.seed)
    recipe = prepared.trial(0, sample(prepared.choices, generator, forbids=prepared.space.forbids)).recipe
    heard = None
    if prepared.ensemble is not None and recipe.needs_teachers:
        names = prepared.ensemble.names
        heard = prepared.ensemble.only([k for k, name in enumerate(names) if name not in recipe.silent])
    rows = len(rows_that_teach(prepared.dataset, recipe, heard))
    if largest <= rows or not rows:  # Where nothing teaches under this recipe, others may, and a trial says it best.
        return ""
    return (
        f"{config.place('recipe', 'batch_size')}: a batch of {largest:,} is more than the {rows:,} training rows "
        f"that teach anything, so that an epoch is a single step; write at most {max(1, rows // 4):,}, or raise epochs"
    )
