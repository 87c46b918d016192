"""What a search has found so far."""

import math
from collections.abc import Iterable, Sequence

from automl.front.hypervolume_history import HypervolumeHistory
from automl.front.objectives import Objective
from automl.front.pareto_front import Member, ParetoFront, pareto_front
from automl.run import FinalMeasurement, FinishedTrial
from automl.searching.contenders import Contenders
from search_spaces import StudentSpec
from trials.records import Limit, Outcome, TrialResult


class Standing:
    """Takes finished trials one by one and knows the front at any time.

    Args:
        objectives: What is compared.
        limits: What members keep.
        final: What was measured alone before, as of a search that ended and goes on.
    """

    def __init__(
        self, objectives: Sequence[Objective], limits: Sequence[Limit], final: Iterable[FinalMeasurement] = ()
    ) -> None:
        self.objectives = tuple(objectives)
        self.limits = tuple(limits)
        self.finished: list[FinishedTrial] = []
        self.hypervolumes: list[float] = []
        self._members: list[Member] = []
        self._contenders = Contenders(objectives, limits)
        self._spares = Contenders(objectives, ())  # All limits are set aside: a run may go on with looser ones.
        self._final = {(measured.digest, measured.precision): measured for measured in final}
        self._history = HypervolumeHistory(objectives, limits)

    def add(self, finished: FinishedTrial) -> None:
        """Take a trial that ended."""
        members = self._settled(members_of(finished))
        self.finished.append(finished)
        self._members.extend(members)
        self.hypervolumes.append(self._history.add(members))
        self._contenders.join(members)
        self._spares.join(members)

    def settle(self, measured: FinalMeasurement) -> None:
        """Take what was measured alone in place of what was measured beside other work."""
        self._final[measured.digest, measured.precision] = measured
        self._members = self._settled(self._members)
        for contenders in (self._contenders, self._spares):
            contenders.begin_again(self._members)  # It may be slower than it seemed, and others better.

    def front(self, *, settled: bool = False) -> ParetoFront:
        """Give the front.

        Args:
            settled: Of those alone that were measured alone: latencies beside other work do not compare with theirs.
        """
        members = [m for m in self._members if self._is_settled(m)] if settled else self._contenders.members
        return pareto_front(members, self.objectives, self.limits)

    def contenders(self) -> list[Member]:
        """Give those that may stand on the front once their latency is measured alone.

        Where no student keeps all limits, these are the nearest ones: see ``attainable``.
        """
        return self._contenders.members

    def worth_keeping(self) -> set[str]:
        """Name the students whose files are kept: contenders, and those that would contend without any limits."""
        return {member.digest for member in (*self._contenders.members, *self._spares.members)}

    def unsettled(self) -> list[Member]:
        """Give the contenders that are still to be measured alone."""
        return [member for member in self._contenders.members if not self._is_settled(member)]

    def _is_settled(self, member: Member) -> bool:
        return (member.digest, member.precision) in self._final

    def _settled(self, members: Iterable[Member]) -> list[Member]:
        pairs = [(member, self._final.get((member.digest, member.precision))) for member in members]
        return [
            member if measured is None else measured.applied(member)
            for member, measured in pairs
            if measured is None or not measured.withdrawn
        ]

    def spec_of(self, member: Member) -> StudentSpec:
        """Give the architecture of a member."""
        return next(each.trial.spec for each in self.finished if each.trial.number == member.trial)

    def fault(self, result: TrialResult) -> str:
        """Say why a result can be neither told nor compared, as with a metric that is no number; empty where it can."""
        needed = {objective.metric for objective in self.objectives} | {limit.metric for limit in self.limits}
        for candidate in result.candidates:
            metrics = candidate.metrics
            missing = sorted(needed - set(metrics))
            if missing and result.outcome in (Outcome.TRAINED, Outcome.PRUNED):
                measured = ", ".join(sorted(metrics))
                return f"the {candidate.precision} student has no {', '.join(missing)}; the task measured {measured}"
            if wrong := sorted(name for name in needed & set(metrics) if not math.isfinite(metrics[name])):
                return f"the {candidate.precision} student gives {', '.join(wrong)} that are not finite"
        return ""

    def count(self, outcome: Outcome) -> int:
        """Count the trials that ended in one way."""
        return sum(finished.result.outcome is outcome for finished in self.finished)

    def best(self) -> dict[str, float]:
        """Best value of each objective among trained candidates that keep the limits; empty before the first."""
        members = self.front().members
        if not members:
            return {}
        return {
            objective.metric: min((member.metrics[objective.metric] for member in members), key=objective.loss)
            for objective in self.objectives
        }


def members_of(finished: FinishedTrial) -> list[Member]:
    """Give the candidates of a trial as they may stand on the front; none where nothing was trained."""
    if finished.result.outcome is not Outcome.TRAINED:
        return []
    return [
        Member(
            trial=finished.trial.number,
            digest=finished.result.digest,
            precision=candidate.precision,
            metrics=candidate.metrics,
            latency=candidate.latency,
            parity_max_abs_difference=candidate.parity_max_abs_difference,
            agreement_share=candidate.agreement_share,
        )
        for candidate in finished.result.candidates
    ]
