"""How the teaching was divided: what each term and each teacher held of the gradient, and who held hardly any.

Shares are those of ``EpochRecord``; a term counts in the epochs in which it has its full weight, not in those before it
comes in or while it rises.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from trials.recipe import Recipe
from trials.records import EpochRecord

LEAST_SHARE, MOST_SHARE = 0.01, 0.9
"""Below the one a term or a teacher hardly moves the student; above the other the further terms hardly do."""
LOSS, TEACHER = "loss", "teacher"


@dataclass(frozen=True, kw_only=True)
class Imbalance:
    """A term or a teacher that held hardly any of the gradient, or a term that held nearly all.

    Args:
        kind: ``loss`` or ``teacher``.
        name: Of the term or the teacher.
        share: Its mean over the epochs that count, 0 to 1.
    """

    kind: str
    name: str
    share: float

    @property
    def is_faint(self) -> bool:
        """Whether it held hardly any, rather than nearly all."""
        return self.share < LEAST_SHARE


def imbalances(recipe: Recipe, history: Sequence[EpochRecord]) -> tuple[Imbalance, ...]:
    """Say whose share of the gradient was hardly any, or nearly all.

    A share is the mean over the epochs, so that a term which is soon learnt and fades, as hard labels of few rows do,
    is none of these. What the recipe switches off itself, by a weight of 0, is none either: it has no share.

    Args:
        recipe: That was taught.
        history: Of the trial.

    Returns:
        Terms before teachers, in the order of the recipe; nothing where no shares were measured.
    """
    history = [record for record in history if record.has_own_shares]
    found = [Imbalance(kind=LOSS, name=name, share=share) for name, share in _own_shares(recipe, history).items()]
    faint = [each for each in found if each.is_faint]
    together = mean_shares(record.shares for record in history if _all_taught(recipe, record.epoch))
    great = [Imbalance(kind=LOSS, name=name, share=share) for name, share in together.items() if share > MOST_SHARE]
    # Where all others are faint, saying so of each says it all.
    dominant = great if 1 <= len(together) - 1 > len(faint) else []
    heard = mean_shares(record.teacher_shares for record in history)
    quiet = [Imbalance(kind=TEACHER, name=name, share=share) for name, share in heard.items() if share < LEAST_SHARE]
    return (*faint, *dominant, *quiet)


def mean_shares(shares: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Average shares over the epochs in which they were measured; they still add up to 1."""
    measured = [each for each in shares if each]
    names: Collection[str] = dict.fromkeys(name for each in measured for name in each)
    return {name: sum(each.get(name, 0.0) for each in measured) / len(measured) for name in names}


def _own_shares(recipe: Recipe, history: Sequence[EpochRecord]) -> dict[str, float]:
    """Give the mean share of each term over the epochs in which it has its full weight."""
    own = {}
    for term in recipe.losses:
        shares = [
            record.shares[term.name]
            for record in history
            if term.name in record.shares and term.weight_in(record.epoch) == term.weight > 0
        ]
        if shares:
            own[term.name] = sum(shares) / len(shares)
    return own


def _all_taught(recipe: Recipe, epoch: int) -> bool:
    return all(term.weight_in(epoch) == term.weight for term in recipe.losses)
