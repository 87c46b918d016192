"""What the controller learns from the trials that ended.

Shape letters: N = trials that ended, B = those of one update, L = decisions of a point, D = objectives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from automl.samplers.context import SearchContext
from automl.samplers.reinforce.decisions import Decisions
from automl.samplers.reinforce.policy import Policy, Walks, one_thread
from automl.samplers.scalarised import Told, chebyshev, random_weights

Array = NDArray[np.float64]

_MOST = 3.0
"""Where an advantage is cut off: a student that is worse than all others by far must not drown them."""
_SPREAD = 1e-3
"""Least spread of rewards, so that rewards which are all alike teach nothing."""


@dataclass(frozen=True, kw_only=True)
class Teaching:
    """How the controller is trained.

    Args:
        learning_rate: Of Adam.
        entropy_weight: Of the bonus for being undecided.
        baseline_decay: Share that the moving average of rewards keeps at each new one, 0 to below 1.
        penalty: What a student loses that breaks limits; up to twice as much, as it breaks them by more.
        batch_size: Trials that ended last, from which each update learns.
        hidden_size: Units of the recurrent net.
        bins: Stretches into which a scale is cut.
    """

    learning_rate: float = 0.01
    entropy_weight: float = 0.05
    baseline_decay: float = 0.95
    penalty: float = 1.0
    batch_size: int = 8
    hidden_size: int = 64
    bins: int = 8

    def __post_init__(self) -> None:
        """Reject what is out of range."""
        for name in ("learning_rate", "entropy_weight", "penalty"):
            least = "above 0" if name == "learning_rate" else "at least 0"
            value = getattr(self, name)
            if value < 0 or (value == 0 and name == "learning_rate"):
                raise ValueError(f"{name} must be {least}, got {value}")
        if not 0 <= self.baseline_decay < 1:
            raise ValueError(f"baseline_decay must lie from 0 to below 1, got {self.baseline_decay}")
        for name, low in (("batch_size", 1), ("hidden_size", 1), ("bins", 2)):
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")


def weights_of(number: int, num_objectives: int) -> Array:
    """Give the weights of the objectives that a trial is proposed for; they follow from its number."""
    return random_weights(np.random.default_rng(number), num_objectives)


def rewards(loss_ND: Array, excess_N: Array, weight_D: Array, *, penalty: float) -> Array:
    """Say how good students are under some weights: minus what ``chebyshev`` gives, less a penalty for limits.

    Returns:
        ``reward_N``; ``penalty · (1 + min(excess, 1))`` is taken off where the excess is above 0.
    """
    broken_N = np.where(excess_N > 0, 1 + np.minimum(excess_N, 1), 0.0)
    return -chebyshev(loss_ND, weight_D) - penalty * broken_N


def advantage(reward: float, before_N: Array, *, decay: float) -> float:
    """Say by how much a reward exceeds the moving average of those before it, in units of their spread.

    With m = Σ_k d^(n-1-k) r_k / Σ_k d^(n-1-k) over the n rewards before, and s the spread around it with the same
    weights, it is (r - m) / s within ±3. Divided by the sum of the weights the average leans towards no first value.

    Args:
        reward: r.
        before_N: Those before, in order.
        decay: d.

    Returns:
        The advantage; 0 where there is nothing before.
    """
    if not len(before_N):
        return 0.0
    weight_N = decay ** np.arange(len(before_N))[::-1]
    weight_N = weight_N / weight_N.sum()
    average = float(weight_N @ before_N)
    spread = float(np.sqrt(weight_N @ (before_N - average) ** 2))
    return float(np.clip((reward - average) / max(spread, _SPREAD), -_MOST, _MOST))


class Learner:
    """A controller, and the trials that it learnt from.

    What it has become follows from these alone, in their order: from a start that is always the same, each trial that
    ended brings one update. So going on from the trials before is the same as beginning anew.

    Args:
        context: Of the search.
        teaching: How.
    """

    def __init__(self, context: SearchContext, teaching: Teaching) -> None:
        self._objectives = context.objectives
        self._teaching = teaching
        self._decisions = Decisions(context.choices, bins=teaching.bins)
        self.policy = Policy(self._decisions, num_objectives=len(context.objectives), hidden_size=teaching.hidden_size)
        self._adam = torch.optim.Adam(self.policy.parameters(), lr=teaching.learning_rate)
        self._learnt: list[Told] = []
        self._losses: list[Array] = []
        self._batch: list[tuple[Array, list[tuple[int, int]], float]] = []

    def knows_only(self, told: Sequence[Told]) -> bool:
        """Tell whether all that it learnt from are the first of some trials, as they are told now."""
        return len(self._learnt) <= len(told) and all(map(_same, self._learnt, told))

    def learn(self, told: Sequence[Told]) -> None:
        """Learn from those trials that it did not learn from yet."""
        assert self.knows_only(told)
        with one_thread():
            for each in told[len(self._learnt) :]:
                self._learn(each)

    def _learn(self, told: Told) -> None:
        # A failure counts as a student that learnt nothing, at the highest costs.
        floor_D = np.array([objective.loss(objective.floor) for objective in self._objectives])
        loss_D = floor_D if told.loss_D is None else told.loss_D
        weight_D = weights_of(told.number, len(self._objectives))
        self._learnt.append(told)
        self._losses.append(loss_D)
        excess_N = np.array([each.excess for each in self._learnt])
        reward_N = rewards(np.array(self._losses), excess_N, weight_D, penalty=self._teaching.penalty)
        gained = advantage(float(reward_N[-1]), reward_N[:-1], decay=self._teaching.baseline_decay)
        if decided := self._decisions.decided(told.values):
            self._batch = [*self._batch, (weight_D, decided, gained)][-self._teaching.batch_size :]
            self._update()

    def _update(self) -> None:
        advantage_B = torch.tensor([gained for _, _, gained in self._batch])
        likelihood_B, entropy_B = self.policy(self._walks())
        bonus = self._teaching.entropy_weight * entropy_B.mean()
        self._adam.zero_grad()
        (-(advantage_B * likelihood_B).mean() - bonus).backward()
        self._adam.step()

    def _walks(self) -> Walks:
        longest = max(len(decided) for _, decided, _ in self._batch)
        padded = [decided + decided[-1:] * (longest - len(decided)) for _, decided, _ in self._batch]
        walked_BL2 = torch.tensor(padded)
        length_B = torch.tensor([len(decided) for _, decided, _ in self._batch])
        return Walks(
            weight_BD=torch.tensor(np.array([weight_D for weight_D, _, _ in self._batch]), dtype=torch.float32),
            choice_BL=walked_BL2[..., 0],
            option_BL=walked_BL2[..., 1],
            mask_BL=(torch.arange(longest) < length_B[:, None]).float(),
        )


def _same(one: Told, other: Told) -> bool:
    if one.number != other.number or one.excess != other.excess or one.values != other.values:
        return False
    if one.loss_D is None or other.loss_D is None:
        return one.loss_D is other.loss_D
    return bool((one.loss_D == other.loss_D).all())
