"""What the sampler of a search may know of it."""

from collections.abc import Mapping

from automl.objectives import Objective
from automl.preparation import Prepared
from automl.samplers import SearchContext
from search_spaces import Values


def search_context(prepared: Prepared, objectives: tuple[Objective, ...] = ()) -> SearchContext:
    """Tell a sampler what there is to search, and what points cost where the space has that in closed form.

    Args:
        prepared: The search.
        objectives: With their ranges; none yet to look only whether a sampler can be made.
    """
    cost = prepared.space.cost

    def costs(values: Values) -> Mapping[str, float]:
        if cost is None:  # Counting a pool of candidates would take longer than to train one.
            return {}
        found = cost(prepared.spec(values), prepared.signature)
        return {"params": float(found.params), "macs": float(found.macs)}

    return SearchContext(
        choices=prepared.choices, objectives=objectives, limits=prepared.config.limits, costs=costs
    )
