"""How the front grew: its hypervolume after each trial, without computing the front anew each time.

Shape letters: M = candidates, A = members of the archive, D = objectives.
"""

from collections.abc import Iterable, Sequence

import moocore
import numpy as np

from automl.front.objectives import Objective, to_losses
from automl.front.pareto_front import Member, hypervolume, keeps, once
from trials.records import Limit


class HypervolumeHistory:
    """The hypervolume of a front that members join one trial after the other.

    Args:
        objectives: At least one.
        limits: What a member must keep.
    """

    def __init__(self, objectives: Sequence[Objective], limits: Sequence[Limit]) -> None:
        self._objectives = tuple(objectives)
        self._limits = tuple(limits)
        self._seen: dict[tuple[str, str], Member] = {}
        self._archive_AD = np.zeros((0, len(self._objectives)))
        self._hypervolume = 0.0

    def add(self, members: Iterable[Member]) -> float:
        """Let the members of one trial join.

        Args:
            members: Its candidates; none where it trained nothing.

        Returns:
            The hypervolume with them, the same as ``pareto_front`` of all so far would have.
        """
        batch = once(members)
        known = batch.keys() & self._seen.keys()
        merged = once([*(self._seen[key] for key in known), *batch.values()])
        replaced = any(merged[key] is not self._seen[key] for key in known)
        joining = [merged[key] for key in merged if key not in known]
        self._seen |= merged
        if replaced:
            # Another measure of a student takes the place of one that may already count: begin again.
            self._archive_AD = self._archive_AD[:0]
            joining = list(self._seen.values())
            self._hypervolume = 0.0
        self._join(joining)
        return self._hypervolume

    def _join(self, members: Sequence[Member]) -> None:
        """Add members to the archive where nothing in it is at least as good."""
        losses_MD = to_losses([m.metrics for m in members if keeps(m.metrics, self._limits)], self._objectives)
        losses_MD = losses_MD[np.isfinite(losses_MD).all(axis=1)]
        as_good_MA = np.all(self._archive_AD[None, :, :] <= losses_MD[:, None, :], axis=2)
        unbeaten = np.flatnonzero(~np.any(as_good_MA, axis=1))
        if not len(unbeaten):
            return
        both_AD = np.concatenate([self._archive_AD, losses_MD[unbeaten]])
        self._archive_AD = both_AD[moocore.is_nondominated(both_AD, keep_weakly=False)]
        self._hypervolume = hypervolume(self._archive_AD)


def hypervolume_history(
    batches: Iterable[Iterable[Member]], objectives: Sequence[Objective], limits: Sequence[Limit]
) -> list[float]:
    """Give the hypervolume of the front after each batch of members.

    Args:
        batches: The candidates of each trial, in the order in which trials ended.
        objectives: At least one.
        limits: What a member must keep.

    Returns:
        One value a batch, 0 to 1.
    """
    history = HypervolumeHistory(objectives, limits)
    return [history.add(batch) for batch in batches]
