"""Whether the metrics of a config exist, and whether its limits lie within what they can be."""

import math

from automl.config import Config
from automl.config.messages import unknown
from automl.errors import UserError
from trials.records import METRICS_OF_COST, Limit
from trials.tasks import Metric, Task


def check_metrics(config: Config, task: Task) -> None:
    """Refuse metrics that the task does not have, and limits on its metrics outside what these can be.

    What costs can be is measured later.

    Raises:
        UserError: There is one; with its place in the config.
    """
    of_task = {metric.name: metric for metric in task.metrics}
    known = sorted([*METRICS_OF_COST, *of_task])
    for section, names in (("objectives", config.objectives), ("limits", [limit.metric for limit in config.limits])):
        for position, name in enumerate(names):
            if name not in known:
                raise UserError(unknown(name, known, "metric"), place=config.place(section, position))
    for position, limit in enumerate(config.limits):
        if limit.metric in of_task and (reason := _outside(limit, of_task[limit.metric])):
            raise UserError(reason, place=config.place("limits", position))


def _outside(limit: Limit, metric: Metric) -> str:
    """Say that a limit lies outside what its metric can be; empty where it does not."""
    worst = metric.worst if metric.worst is not None else -math.inf if metric.higher_is_better else math.inf
    low, high = sorted((worst, metric.best))
    if low <= limit.value <= high:
        return ""
    if math.isinf(low) or math.isinf(high):
        possible = f"at most {high:g}" if math.isinf(low) else f"at least {low:g}"
    else:
        possible = f"from {low:g} to {high:g}"
    percent = high == 1 and 1 < limit.value <= 100
    hint = f"; for {limit.value:g} % write {limit.value / 100:g}" if percent else ""
    return f"{limit} cannot be: {metric.name} is {possible}{hint}"
