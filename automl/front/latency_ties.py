"""Members of a front whose latency cannot be told from that of a member that is as good in all else."""

from automl.front.pareto_front import Member, ParetoFront

_METRIC = "latency_ms"


def latency_ties(front: ParetoFront) -> list[tuple[Member, Member]]:
    """Find the members that stand on the front by a difference of latency that was not really measured.

    Measured again, such a member may be off the front. It stays on it all the same: intervals that overlap make no
    order, since one may overlap a second and the second a third that the first does not overlap. The other way round
    nothing is lost: what such a difference keeps off the front is beaten or equalled in all else.

    Args:
        front: Its provisional latencies tie with nothing.

    Returns:
        Each such member, in the order of the front, with the first member that is as good or better in all other
        objectives and whose interval of latency overlaps its own. None where latency is no objective.
    """
    others = [objective for objective in front.objectives if objective.metric != _METRIC]
    if len(others) == len(front.objectives):
        return []
    found = []
    for member in front.members:
        for other in front.members:
            as_good = all(o.loss(other.metrics[o.metric]) <= o.loss(member.metrics[o.metric]) for o in others)
            if other is not member and as_good and _overlap(member, other):
                found.append((member, other))
                break
    return found


def _overlap(member: Member, other: Member) -> bool:
    one, two = member.latency, other.latency
    alone = not (one.provisional or two.provisional)
    return alone and one.low_ms <= two.high_ms and two.low_ms <= one.high_ms
