"""Students distilled again, side by side on the cluster; each is written down as soon as it is judged."""

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.attribution.contributions import LABEL, Inquiry, Retraining
from automl.attribution.facts import keep_retraining
from automl.cluster.executor import Executor, LostWorkError, OverdueError, Share, Task
from automl.cluster.nodes import retrain_on_node
from automl.errors import WorkFailed, disk_is_full
from automl.searching.progress import Progress
from automl.study.ledger import Ledger
from trials.records import Judgement, Trial

_logger = logging.getLogger("automl.attribution.retraining")

Parts = Mapping[tuple[str, str], NDArray[np.int64]]
"""Row numbers by column and value."""
_WHOLE = "whole"


@dataclass(eq=False)
class Order:
    """A student to distil.

    Args:
        trial: What is asked.
        without: Teachers that are left out of its recipe.
        losses: How often its process died.
    """

    trial: Trial
    without: tuple[str, ...]
    losses: int = 0


class Retrainer:
    """Distils students again.

    Args:
        inquiry: What they are for.
        ledger: Takes them.
        executor: Where they are trained.
        progress: Is told of each.
        share: What one takes of the cluster.
        in_flight: How many run at once, at most.
        seconds: Time that one may take; None without a bound.
        retries: How often one whose process died is started again.
    """

    def __init__(
        self,
        inquiry: Inquiry,
        *,
        ledger: Ledger,
        executor: Executor,
        progress: Progress,
        share: Share,
        in_flight: int,
        seconds: float | None,
        retries: int,
    ) -> None:
        self._inquiry = inquiry
        self._ledger = ledger
        self._executor = executor
        self._progress = progress
        self._share = share
        self._in_flight = in_flight
        self._seconds = seconds
        self._retries = retries
        self._last_error = ""

    def run(self, orders: Iterable[Order], setting: object, *, whole: NDArray[np.int64], parts: Parts) -> str:
        """Distil all of them.

        Args:
            orders: In the order in which they are to be begun.
            setting: What trials share, and where teachers are heard, as ``Executor.share`` returned it.
            whole: Rows that they are judged on.
            parts: Parts of these rows that they are judged on, too.

        Returns:
            The last line of the last error; empty where all were trained.

        Raises:
            WorkFailed: Something failed that every other student would fail of.
        """
        waiting = deque(orders)
        keys = {f"{column}={value}": (column, value) for column, value in parts}
        rows = self._executor.share(
            {_WHOLE: whole, **{key: parts[part] for key, part in keys.items()}},
        )
        num_asked, num_ended = len(waiting), 0
        flights: dict[Task, Order] = {}
        while waiting or flights:
            while waiting and len(flights) < self._in_flight:
                order = waiting.popleft()
                flights[self._submit(order, setting, rows)] = order
            for task in self._executor.wait(list(flights), seconds=1.0):
                order = flights.pop(task)
                judged = self._fetch(task, order)
                if judged is None:
                    waiting.appendleft(order)
                    continue
                num_ended += 1
                self._land(order, judged, keys, said=f"{num_ended} of {num_asked}")
        return self._last_error

    def _submit(self, order: Order, setting: object, rows: object) -> Task:
        name = f"retrain-{order.trial.number:04d}"
        arguments = order.trial, setting, rows
        return self._executor.submit(retrain_on_node, *arguments, share=self._share, seconds=self._seconds, name=name)

    def _fetch(self, task: Task, order: Order) -> Judgement | None:
        """Get what came of a student; None where its process died and it shall start again."""
        try:
            judged: Judgement = self._executor.fetch(task)
        except OverdueError as error:
            return Judgement(error=str(error))
        except LostWorkError as error:
            order.losses += 1
            if order.losses > self._retries:
                return Judgement(error=f"{error} (tried {order.losses} times)")
            _logger.warning("a student: %s; it starts again, attempt %d", error, order.losses + 1)
            return None
        except Exception as error:
            if isinstance(error, WorkFailed) or disk_is_full(error):
                raise  # Every other one would end so, too.
            return Judgement(error=f"{type(error).__name__}: {error}")
        return judged

    def _land(self, order: Order, judged: Judgement, keys: Mapping[str, tuple[str, str]], *, said: str) -> None:
        told = f"{said}: {described(order.without, self._inquiry)}, seed {order.trial.seed}"
        if judged.error:
            self._last_error = judged.error.strip().rsplit("\n", 1)[-1]
            self._progress.say(f"{told} failed, and is left out: {self._last_error}")
            return
        metric = self._inquiry.metric
        parts: dict[str, dict[str, float]] = {}
        for name, value in judged.metrics[_WHOLE].items():
            if name.startswith(f"{metric}."):
                parts.setdefault(LABEL, {})[name.removeprefix(f"{metric}.")] = value
        for key, (column, name) in keys.items():
            parts.setdefault(column, {})[name] = judged.metrics[key][metric]
        retraining = Retraining(
            trial=self._inquiry.trial,
            seed=order.trial.seed,
            without=order.without,
            teachers=self._inquiry.teachers,
            score=judged.metrics[_WHOLE][metric],
            parts=parts,
        )
        keep_retraining(self._ledger, retraining, digest=order.trial.digest)
        self._progress.say(f"{told}: {metric} {retraining.score:.4f}")


def described(without: tuple[str, ...], inquiry: Inquiry) -> str:
    """Say from whom a student learns."""
    if not without:
        return "all teachers" if len(inquiry.heard) > 1 else f"teacher {inquiry.heard[0]}"
    return "labels only" if without == inquiry.heard else f"without {without[0]}"
