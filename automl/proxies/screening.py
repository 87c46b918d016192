"""Candidates ordered by a proxy before one of them is trained, as long as the proxy shows that it is worth it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from automl.cluster.nodes import CachePlace, with_teachers
from automl.preparation.prepare import Prepared, at
from automl.proxies.agreement import BASELINE
from automl.proxies.judge import ProxyJudge, Quality
from automl.proxies.size_trend import SizeTrend
from automl.run import PROXY_USED, FinishedTrial, ProxyUse
from automl.searching.standing import Standing
from automl.study import stored
from automl.study.ledger import Ledger
from automl.teaching.caching import wanted
from search_spaces import Values, sample
from teachers import Batch, TeacherOutputs
from trials.proxies import Scorer
from trials.records import Trial

REFERENCES = 64
"""Students drawn at random, by which is known what score a size has."""
_TRIED = 8
"""Students that are tried out before a proxy counts as one that this search cannot have."""


class Screening:
    """Chooses among candidates the one whose proxy is highest for its size; also listens to the search.

    Scores mostly grow with size, and the candidate with the highest would often be the largest one. So a score counts
    by how much it exceeds what students of the same number of parameters have, as random ones of the space show. What
    is chosen depends on the candidates, the seed and the trials that ended, and on nothing else.

    Args:
        prepared: The search.
        use: The proxy, and among how many candidates it chooses.
        scorer: Scores students.
        earlier: Trials that ended before, in the order in which they did.
        say: Is told when the proxy is switched off, and when it is on again.
    """

    def __init__(
        self,
        prepared: Prepared,
        use: ProxyUse,
        scorer: Scorer,
        *,
        earlier: Iterable[FinishedTrial] = (),
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._prepared = prepared
        self._use = use
        self._scorer = scorer
        self._say = say
        metric = prepared.task.metrics[0]
        self._judge = ProxyJudge(use.name, Quality(metric=metric.name, higher_is_better=metric.higher_is_better))
        for finished in earlier:  # What follows from them was told when they ended.
            self._judge.take(finished)

    @property
    def most(self) -> int:
        """Candidates for a trial, at most."""
        return self._use.candidates

    def num_candidates(self) -> int:
        """Give how many are wanted for the next trial; 1 while the proxy is off."""
        return self._use.candidates if self._judge.in_use else 1

    def choose(self, candidates: Sequence[Values]) -> int:
        """Give the position of the candidate whose score most exceeds what its size has."""
        if len(candidates) == 1:
            return 0
        return int(np.argmax([self._beyond(values) for values in candidates]))

    def scores(self, trial: Trial) -> Mapping[str, float]:
        """Give all scores of a student that are kept, by name."""
        return self._scorer(trial, dict.fromkeys([BASELINE, self._use.name, *self._use.followed]))

    def on_finished(self, finished: FinishedTrial, standing: Standing) -> None:
        """Judge the proxy by what became of its students."""
        del standing
        verdict = self._judge.take(finished)
        if verdict is not None and self._use.candidates > 1:
            self._say(verdict.sentence())

    def on_tick(self, standing: Standing, *, running: int, proposed: int) -> None:
        """Nothing changes between trials."""

    def _beyond(self, values: Values) -> float:
        """Score a candidate; one without a score counts as one like all of its size."""
        try:
            trial = self._prepared.trial(0, values)
        except ValueError:  # The space forbids it: its trial would fail, and say why.
            return -np.inf
        scores = self._scorer(trial, (BASELINE, self._use.name))
        if self._trend is None or self._use.name not in scores or not scores.get(BASELINE):
            return 0.0
        return self._trend.beyond(scores[BASELINE], scores[self._use.name])

    @cached_property
    def _trend(self) -> SizeTrend | None:
        """What score a size has, by random students; None where none of them has one."""
        found = [self._scorer(trial, (BASELINE, self._use.name)) for trial in _drawn(self._prepared, REFERENCES)]
        scored = [scores for scores in found if self._use.name in scores and scores.get(BASELINE)]
        if not scored:
            return None
        params_N, score_N = (np.array([scores[name] for scores in scored]) for name in (BASELINE, self._use.name))
        return SizeTrend.fitted(params_N, score_N)


def make_screening(
    prepared: Prepared,
    place: CachePlace | None,
    ledger: Ledger,
    *,
    earlier: Iterable[FinishedTrial],
    say: Callable[[str], None],
) -> Screening | None:
    """Make what orders the candidates of a search, and write down how; None where the config names no proxy.

    Args:
        prepared: The search, its teachers as they are loaded.
        place: Where the teachers are heard; None without teachers.
        ledger: Takes the proxy's name.
        earlier: Trials that ended before, in the order in which they did.
        say: Is told when the proxy is switched off, and when it is on again.
    """
    section = prepared.config.search.proxy
    use = None if section is None else ProxyUse(**section.model_dump())
    if use is not None or ledger.recall(PROXY_USED) is not None:
        ledger.remember(PROXY_USED, stored.proxy.dump_python(use, mode="json"))
    if use is None:
        return None
    with at(prepared.config, "search", "proxy"):
        scorer = Scorer(
            with_teachers(prepared.setting, place), seed=prepared.config.seed, features=wanted(prepared).features
        )
    return Screening(prepared, use, scorer, earlier=earlier, say=say)


def require_proxies(prepared: Prepared) -> None:
    """Refuse proxies that the students of a search cannot have, before any teacher is asked.

    Raises:
        UserError: There is one; the message says why.
    """
    section = prepared.config.search.proxy
    if section is None:
        return
    setting = prepared.setting
    if prepared.ensemble is not None:
        setting = replace(setting, teachers=_MadeUp(len(prepared.ensemble), prepared.dataset.num_classes))
    places = [(section.name, ("name",)), *((name, ("followed", k)) for k, name in enumerate(section.followed))]
    for name, place in places:
        with at(prepared.config, "search", "proxy", *place):
            _require(Scorer(setting, seed=prepared.config.seed), _drawn(prepared, _TRIED), name)


class _MadeUp:
    """Answers of teachers that nobody has asked yet; fulfils EnsembleOutputs."""

    def __init__(self, num_teachers: int, num_classes: int) -> None:
        self._shape = num_teachers, num_classes

    def __call__(self, batch: Batch, features: Collection[str] = ()) -> TeacherOutputs:
        del features
        num_teachers, num_classes = self._shape
        rows = len(batch.index)
        chance = torch.Generator().manual_seed(0)
        return TeacherOutputs(logits=torch.randn(num_teachers, rows, num_classes, generator=chance))


def _require(scorer: Scorer, trials: Sequence[Trial], name: str) -> None:
    """Make sure that some of the students have a score: a recipe may listen to no teacher, where others do."""
    reasons: list[str] = []
    for trial in trials:
        try:
            scorer.require(trial, name)
        except ValueError as error:
            reasons.append(str(error))
        else:
            return
    raise ValueError(f"no student of this search has a score by {name!r}: {reasons[0]}; take another proxy, or none")


def _drawn(prepared: Prepared, count: int) -> list[Trial]:
    rng = np.random.default_rng(prepared.config.seed)
    points = [sample(prepared.choices, rng, forbids=prepared.space.forbids) for _ in range(count)]
    return [prepared.trial(number, values) for number, values in enumerate(points)]
