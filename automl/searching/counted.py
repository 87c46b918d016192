"""Students drawn at random, and what they cost."""

import numpy as np

from automl.errors import UserError
from automl.preparation.prepare import Prepared
from search_spaces import Cost, Values, cost_of, sample

_SAMPLES = 300
_COUNTED_SAMPLES = 40
"""Without a closed form each spec costs some 40 ms to count."""


def draw_counted(prepared: Prepared) -> tuple[list[Values], dict[str, Cost], str]:
    """Draw students at random, the same each time, and count what they cost.

    A student that cannot be built or run is none of them: a trial of it will fail and say why, while others go on.

    Args:
        prepared: The search.

    Returns:
        Points of architecture and recipe; the cost of each architecture, by digest; and why others cannot be built,
        empty where all can.

    Raises:
        UserError: None of them can be built.
    """
    generator = np.random.default_rng(prepared.config.seed)
    drawn: list[Values] = []
    costs: dict[str, Cost] = {}
    reasons: dict[str, str] = {}
    num_drawn = _SAMPLES if prepared.space.cost is not None else _COUNTED_SAMPLES
    for _ in range(num_drawn):
        values = sample(prepared.choices, generator, forbids=prepared.space.forbids)
        spec = prepared.spec(values)
        digest = spec.architecture_digest
        if digest not in costs and digest not in reasons:
            try:
                costs[digest] = cost_of(prepared.space, spec, prepared.setting.signature_of(spec))
            except Exception as error:  # It is the user's code that runs here.
                reasons[digest] = f"{type(error).__name__}: {error} (tried: {dict(spec.values)})"
        if digest in costs:
            drawn.append(values)
    if not reasons:
        return drawn, costs, ""
    told = next(iter(reasons.values()))
    if not costs:
        raise UserError(
            f"none of {num_drawn} random students can be built: {told}", place=prepared.config.place("student")
        )
    many = f"{len(reasons)} of {len(reasons) + len(costs)} random architectures cannot be built"
    return drawn, costs, f"{many}, and trials of such will fail: {told}; see forbids of a SearchSpace"
