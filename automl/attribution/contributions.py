"""What a teacher contributed to a student: what is lost as it is left out, seed by seed.

Shape letters: R = seeds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtrit

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
        num_rows: Labelled validation rows.
        part_rows: The same within parts of them, by ``LABEL`` or a column of the data, then by name.
    """

    trial: int
    metric: str
    higher_is_better: bool
    heard: tuple[str, ...]
    silent: tuple[str, ...] = ()
    needed: Mapping[str, str] = field(default_factory=dict)
    teachers: str
    num_rows: int
    part_rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


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


def paired_interval(more: Sequence[float], less: Sequence[float], *, num_rows: int = 0) -> Interval:
    """Give the mean difference of paired figures with its 95 % interval by Student's t (Student, 1908).

    Shares of few rows can differ by the same row with each of a few seeds, which looks like certainty. So where all
    figures are shares of the rows, their differences are taken to spread at least as much as by rounding to a row: an
    even error of half a row to either side has the variance 1/12, and there are two of them.

    Args:
        more: One figure a seed, at least two.
        less: Those that are subtracted, of the same seeds, so that what a seed does to both falls out.
        num_rows: On which each figure was taken; 0 where nobody knows.
    """
    more_R, less_R = np.asarray(more, dtype=np.float64), np.asarray(less, dtype=np.float64)
    num_seeds = len(more_R)
    assert num_seeds >= FEWEST_SEEDS
    counts_R = np.concatenate([more_R, less_R]) * num_rows
    spread = float((more_R - less_R).std(ddof=1))
    if num_rows and np.allclose(counts_R, counts_R.round(), rtol=0, atol=1e-6):
        spread = max(spread, (2 / 12) ** 0.5 / num_rows)
    mean = float((more_R - less_R).mean())
    half = float(stdtrit(num_seeds - 1, (1 + CONFIDENCE) / 2)) * spread / num_seeds**0.5
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
            contributions.append(_contribution(inquiry, without, pairs))
    if not contributions:
        return None
    score = float(np.mean([each.score for each in whole.values()]))
    return Attribution(inquiry=inquiry, score=score, contributions=tuple(contributions))


def _contribution(
    inquiry: Inquiry, without: tuple[str, ...], pairs: Sequence[tuple[Retraining, Retraining]]
) -> Contribution:
    def interval(more: Sequence[float], less: Sequence[float], num_rows: int) -> Interval:
        more, less = (more, less) if inquiry.higher_is_better else (less, more)
        return paired_interval(more, less, num_rows=num_rows)

    whole = interval([more.score for more, _ in pairs], [less.score for _, less in pairs], inquiry.num_rows)
    parts = {
        by: {
            name: interval(
                [more.parts[by][name] for more, _ in pairs],
                [less.parts[by][name] for _, less in pairs],
                inquiry.part_rows.get(by, {}).get(name, 0),
            )
            for name in names
        }
        for by, names in pairs[0][0].parts.items()
    }
    return Contribution(without=without, whole=whole, parts=parts)
