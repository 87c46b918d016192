"""What a search can reach: the range of each objective, measured on a few untrained students."""

from collections.abc import Callable, Sequence

import numpy as np

from automl.front.objectives import Objective
from automl.preparation.prepare import Prepared
from automl.searching.counted import draw_counted
from search_spaces import sample
from trials.records import LATENCY_MARGIN, METRICS_OF_COST, Candidate, Limit, Trial
from trials.tasks import Metric


def probes(prepared: Prepared) -> list[Trial]:
    """Choose the students at the ends of a space: fewest and most parameters, fewest and most MACs.

    Returns:
        One to four trials whose architectures differ.

    Raises:
        UserError: No student of the space can be built.
    """
    generator = np.random.default_rng(prepared.config.seed)
    recipe = prepared.config.recipe.at(sample(prepared.config.recipe.choices(), generator))
    drawn, costs, _ = draw_counted(prepared)
    specs = {spec.architecture_digest: spec for spec in map(prepared.spec, drawn)}
    ends = dict.fromkeys(
        pick(costs, key=lambda digest: (getattr(costs[digest], metric), digest))
        for metric in ("params", "macs")
        for pick in (min, max)
    )
    return [Trial(number=-1, spec=specs[digest], recipe=recipe, seed=prepared.config.seed) for digest in ends]


def objectives_of(prepared: Prepared, measured: Sequence[tuple[Candidate, ...]]) -> tuple[Objective, ...]:
    """Give the objectives of a search, each with the range over which the hypervolume measures it.

    Args:
        prepared: The config's objectives, limits and task are read.
        measured: Costs of the probes, by precision.

    Returns:
        For a task's metric from the limit, or from chance where there is no limit, to the best; for a cost from a
        little below the lowest that was measured to the limit, or to the highest that was measured where there is no
        limit, both on a logarithmic scale.
    """
    task_metrics = {metric.name: metric for metric in prepared.task.metrics}
    found = []
    for name in prepared.config.objectives:
        if name in METRICS_OF_COST:
            values = [candidate.metrics[name] for candidates in measured for candidate in candidates]
            limits = [limit.value for limit in prepared.config.limits if limit.metric == name and limit.at_most]
            best, worst = min(values), min(limits, default=max(values))
            # A few hundred samples hold neither the smallest student nor the fastest, and probes run beside each other.
            best *= 1 - LATENCY_MARGIN
            if not worst > best:  # One student only, or a limit that little or nothing keeps.
                best = worst / 2
            found.append(Objective(metric=name, higher_is_better=False, worst=worst, best=best, log=True))
        else:
            metric = task_metrics[name]
            found.append(
                Objective(
                    metric=name,
                    higher_is_better=metric.higher_is_better,
                    worst=_worst_allowed(metric, prepared.config.limits),
                    best=metric.best,
                    chance=metric.chance,
                )
            )
    return tuple(found)


def _worst_allowed(metric: Metric, limits: Sequence[Limit]) -> float:
    """Give the limit of a task's metric that lies between chance and the best, else chance."""
    for limit in limits:
        between = min(metric.chance, metric.best) < limit.value < max(metric.chance, metric.best)
        if limit.metric == metric.name and limit.at_most != metric.higher_is_better and between:
            return limit.value
    return metric.chance


def broken_limits(limits: Sequence[Limit], measured: Sequence[tuple[Candidate, ...]]) -> list[str]:
    """Say which limits on costs no probe keeps in any precision, each with the nearest value that was measured.

    A latency may have come out too high by ``LATENCY_MARGIN``, as at the gate of a trial.
    """
    broken = []
    for limit in limits:
        if limit.metric not in METRICS_OF_COST:
            continue
        values = [candidate.metrics[limit.metric] for candidates in measured for candidate in candidates]
        nearest: Callable[..., float] = min if limit.at_most else max
        margin = LATENCY_MARGIN if limit.metric == "latency_ms" and limit.at_most else 0.0
        if all(limit.excess({limit.metric: value * (1 - margin)}) > 0 for value in values):
            value = nearest(values)
            shown = f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
            broken.append(f"{limit}: the nearest student has {limit.metric} {shown}")
    return broken
