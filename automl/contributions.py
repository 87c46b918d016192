"""What a teacher contributed to a student: what is lost as it is left out, seed by seed.

Shape letters: R = seeds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped] # it has no types

CONFIDENCE = 0.95
"""Share of such intervals that hold the true mean."""
FEWEST_SEEDS = 2
"""Of one difference, nobody can say how much it varies."""
LABEL = ""
"""Stands for the parts of the rows that their labels make, which no column of the data can be called."""


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """What was asked about a trial.

    Args:
        trial: Its number.
        metric: The task's first one, in which contributions are told.
        higher_is_better: Its direction.
        heard: Teachers that the trial's student listened to, in the order of the config.
        silent: Teachers of the search that it did not listen to; they contributed nothing.
        needed: Teachers without whom the recipe cannot be trained, with the reason.
        teachers: Digest of all teachers: students of others are not compared.
    """

    trial: int
    metric: str
    higher_is_better: bool
    heard: tuple[str, ...]
    silent: tuple[str, ...] = ()
    needed: Mapping[str, str] = field(default_factory=dict)
    teachers: str


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """The student of a trial, distilled again.

    Args:
        trial: The trial's number.
        seed: Of this training.
        without: Teachers that were left out; empty for one with all, all of them for one from labels alone.
        teachers: As in ``Inquiry``.
        score: Value of the metric on all validation rows.
        parts: The same within parts of them, by ``LABEL`` or a column of the data, then by name.
    """

    trial: int
    seed: int
    without: tuple[str, ...]
    teachers: str
    score: float
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean over seeds, with its interval.

    Args:
        mean: Of the differences.
        low: Lower end.
        high: Upper end.
        num_seeds: Number of differences.
    """

    mean: float
    low: float
    high: float
    num_seeds: int

    @property
    def holds_zero(self) -> bool:
        """Whether nothing at all could have been contributed as well."""
        return self.low <= 0 <= self.high


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What some teachers contributed; above 0 the student is better for them.

    Args:
        without: Who was left out: one teacher, or all of them.
        whole: On all validation rows.
        parts: Within parts of them, as in ``Retraining``.
    """

    without: tuple[str, ...]
    whole: Interval
    parts: Mapping[str, Mapping[str, Interval]]


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What each teacher contributed to the student of a trial.

    Args:
        inquiry: What was asked.
        score: Mean of the metric over seeds, from all teachers.
        contributions: Of each teacher that could be left out, in their order; then, where there are several and the
            recipe has a term for labels, of all together against labels alone.
    """

    inquiry: Inquiry
    score: float
    contributions: tuple[Contribution, ...]

    @property
    def num_seeds(self) -> int:
        """Seeds behind the contribution with the most of them."""
        return max(contribution.whole.num_seeds for contribution in self.contributions)


def paired_interval(differences: Sequence[float]) -> Interval:
    """Give the mean of differences with its 95 % interval by Student's t (Student, 1908).

    Args:
        differences: One a seed, at least two; those between two students of one seed, so that what the seed does to
            both falls out.
    """
    differences_R = np.asarray(differences, dtype=np.float64)
    num_seeds = len(differences_R)
    assert num_seeds >= FEWEST_SEEDS
    mean = float(differences_R.mean())
    error = float(differences_R.std(ddof=1)) / num_seeds**0.5
    half = float(stdtrit(num_seeds - 1, (1 + CONFIDENCE) / 2)) * error
    return Interval(mean=mean, low=mean - half, high=mean + half, num_seeds=num_seeds)


def attribution_of(inquiry: Inquiry, retrainings: Iterable[Retraining]) -> Attribution | None:
    """Compare students with and without each teacher, seed by seed.

    Args:
        inquiry: What was asked.
        retrainings: Of any trials and teachers; those that the inquiry is not about are passed over.

    Returns:
        The contributions that two seeds or more tell; None where there are none yet.
    """
    by_seed: dict[tuple[str, ...], dict[int, Retraining]] = {}
    for each in retrainings:
        if (each.trial, each.teachers) == (inquiry.trial, inquiry.teachers):
            by_seed.setdefault(each.without, {})[each.seed] = each
    whole = by_seed.get((), {})
    contributions = []
    for without in dict.fromkeys([*((name,) for name in inquiry.heard), inquiry.heard]):
        less = by_seed.get(without, {})
        pairs = [(whole[seed], less[seed]) for seed in sorted(whole.keys() & less.keys())]
        if len(pairs) >= FEWEST_SEEDS:
            contributions.append(_contribution(without, pairs, sign=1 if inquiry.higher_is_better else -1))
    if not contributions:
        return None
    score = float(np.mean([each.score for each in whole.values()]))
    return Attribution(inquiry=inquiry, score=score, contributions=tuple(contributions))


def _contribution(
    without: tuple[str, ...], pairs: Sequence[tuple[Retraining, Retraining]], *, sign: int
) -> Contribution:
    parts: dict[str, dict[str, Interval]] = {}
    for by, names in pairs[0][0].parts.items():
        parts[by] = {
            name: paired_interval([sign * (more.parts[by][name] - less.parts[by][name]) for more, less in pairs])
            for name in names
        }
    whole = paired_interval([sign * (more.score - less.score) for more, less in pairs])
    return Contribution(without=without, whole=whole, parts=parts)
