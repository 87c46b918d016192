"""Who may stand on the front, as trials come in."""

from collections.abc import Iterable, Sequence

from automl.front.objectives import Objective
from automl.front.pareto_front import Member, contenders, keeps, sooner
from trials.records import LATENCY_MARGIN, Limit


class Contenders:
    """Members that may turn out to stand on the front, kept up to date as others join.

    Where none keeps all limits, those count that keep the ``attainable`` ones: they are the nearest to the limits, and
    loosening these finds them measured and their files there.

    Args:
        objectives: What is compared.
        limits: What members keep.
    """

    def __init__(self, objectives: Sequence[Objective], limits: Sequence[Limit]) -> None:
        self._objectives = tuple(objectives)
        self._limits = tuple(limits)
        self.members: list[Member] = []

    def join(self, members: Sequence[Member]) -> None:
        """Take members that are new."""
        if members:
            # Who is out stays out: whoever beat it is still there, or was beaten in turn. Limits that become
            # attainable are kept by a new member for the first time, so that no earlier one is missed.
            self.begin_again([*self.members, *members])

    def begin_again(self, members: Sequence[Member]) -> None:
        """Take these members alone."""
        limits = attainable(members, self._limits)
        self.members = contenders(members, self._objectives, limits, latency_margin=LATENCY_MARGIN)


def attainable(members: Iterable[Member], limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """Set aside the limits that nobody keeps.

    Limits are taken in their order: one that no member keeps together with those before it is set aside.

    Args:
        members: A provisional latency counts as measured or with ``LATENCY_MARGIN`` off.
        limits: In the order of the config.

    Returns:
        All of them where some member keeps all; none where there are no members.
    """
    metrics = [each.metrics for member in members for each in (member, sooner(member, LATENCY_MARGIN))]
    found: tuple[Limit, ...] = ()
    for limit in limits:
        if keeping := [each for each in metrics if keeps(each, [limit])]:
            metrics, found = keeping, (*found, limit)
    return found
