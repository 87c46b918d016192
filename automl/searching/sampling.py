"""Who proposes the students of a search, and what they may know of it."""

from collections.abc import Mapping
from functools import partial

from automl.front.objectives import Objective
from automl.preparation.prepare import Prepared, at
from automl.samplers import FreshSampler, SearchContext, make_sampler
from automl.samplers.allowed import AllowedProposals
from automl.samplers.first import FirstProposals
from automl.samplers.thinned import Chooser, ThinnedProposals
from automl.transfer.warm_start import WarmStart
from search_spaces import Values


def sampler_of(
    prepared: Prepared,
    objectives: tuple[Objective, ...] = (),
    *,
    warm_start: WarmStart | None = None,
    chooser: Chooser | None = None,
) -> FreshSampler | AllowedProposals | ThinnedProposals | FirstProposals:
    """Make the sampler of a search.

    Args:
        prepared: The search.
        objectives: With their ranges; none yet to find out whether the sampler can be made.
        warm_start: What the search takes over from an earlier run.
        chooser: Chooses among several proposals for a trial; None tries each as it comes.

    Raises:
        UserError: The sampler is unknown, or does not take its options.
    """
    chosen = prepared.config.search.sampler
    context = _context(prepared, objectives)
    sampler: FreshSampler | AllowedProposals | ThinnedProposals
    with at(prepared.config, "search", "sampler"):
        sampler = make_sampler(chosen.name, seed=prepared.config.seed, options=chosen.options, context=context)
    if prepared.space.forbids is not None:
        sampler = AllowedProposals(sampler, partial(_forbidden, prepared), context=context)
    if chooser is not None:
        sampler = ThinnedProposals(sampler, chooser, context=context)
    if warm_start is None:
        return sampler
    return FirstProposals(sampler, [student.values for student in warm_start.first], prepared.choices)


def _forbidden(prepared: Prepared, values: Values) -> str:
    """Say why a point of architecture and recipe is no student; empty where it is one."""
    assert prepared.space.forbids is not None
    try:
        return prepared.space.forbids(prepared.spec(values).values)
    except ValueError as error:  # A user's sampler may propose what is no point at all.
        return str(error)


def _context(prepared: Prepared, objectives: tuple[Objective, ...]) -> SearchContext:
    cost = prepared.space.cost

    def costs(values: Values) -> Mapping[str, float]:
        if cost is None:  # To count a pool of candidates would take longer than to train one.
            return {}
        spec = prepared.spec(values)
        found = cost(spec, prepared.setting.signature_of(spec))
        return {"params": float(found.params), "macs": float(found.macs)}

    features = prepared.space.features

    def structure(values: Values) -> Mapping[str, float]:
        return {} if features is None else features(prepared.spec(values).values)

    return SearchContext(
        choices=prepared.choices,
        objectives=objectives,
        limits=prepared.config.limits,
        costs=costs,
        features=structure,
    )
