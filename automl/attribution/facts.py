"""Students of trials that were distilled again without some teachers, as the study keeps them."""

from collections.abc import Iterator

from automl.attribution.contributions import Attribution, Inquiry, Retraining, attribution_of
from automl.run import Run
from automl.study import stored
from automl.study.ledger import Ledger
from search_spaces import plain_digest

INQUIRY, RETRAINING, ANSWERED = "attribution:", "retraining:", "attributed:"
"""Prefixes of the facts in the study: ``attribution:TRIAL``, ``retraining:TRIAL:DIGEST`` for each student, and
``attributed:TRIAL`` once all of an inquiry's students are trained."""


def keep_inquiry(ledger: Ledger, inquiry: Inquiry) -> None:
    """Write down what is asked about a trial, in place of what was asked before."""
    ledger.remember(f"{INQUIRY}{inquiry.trial}", stored.inquiry.dump_python(inquiry, mode="json"))


def keep_retraining(ledger: Ledger, retraining: Retraining, *, digest: str) -> None:
    """Write down a student; ``digest`` names its architecture, recipe and seed."""
    record = stored.retraining.dump_python(retraining, mode="json")
    ledger.remember(f"{RETRAINING}{retraining.trial}:{digest}", record)


def retrainings_in(ledger: Ledger, trial: int) -> Iterator[tuple[str, Retraining]]:
    """Read the students of a trial back, with their digests."""
    for digest, record in ledger.recall_all(f"{RETRAINING}{trial}:"):
        yield digest, stored.retraining.validate_python(record)


def trained_for(ledger: Ledger, inquiry: Inquiry) -> set[str]:
    """Give the digests of the students that are trained, of the teachers of an inquiry."""
    kept = retrainings_in(ledger, inquiry.trial)
    return {digest for digest, retraining in kept if retraining.teachers == inquiry.teachers}


def keep_answered(ledger: Ledger, inquiry: Inquiry, *, seeds: int) -> None:
    """Write down that all students of an inquiry are trained, with so many seeds."""
    before = ledger.recall(f"{ANSWERED}{inquiry.trial}")
    if before is not None and before["teachers"] == inquiry.teachers:
        seeds = max(seeds, before["seeds"])
    ledger.remember(f"{ANSWERED}{inquiry.trial}", {"teachers": inquiry.teachers, "seeds": seeds})


def answered(ledger: Ledger, run: Run, trial: int, *, seeds: int) -> Attribution | None:
    """Give what teachers contributed to a trial's student, if nothing is left to train for it.

    Args:
        ledger: Of the run.
        run: As it stands in its folder.
        trial: Number of the trial.
        seeds: As many are asked for.

    Returns:
        None where something is left, or the teachers are others than those of then.
    """
    done = ledger.recall(f"{ANSWERED}{trial}")
    if done is None or done["seeds"] < seeds or done["teachers"] != teachers_in(ledger):
        return None
    return next((each for each in run.attributions if each.inquiry.trial == trial), None)


def teachers_in(ledger: Ledger) -> str:
    """Name the teachers of a run together, as they were last loaded."""
    return plain_digest([[each["name"], each["digest"]] for each in ledger.recall("teachers") or ()])


def attributions_in(ledger: Ledger) -> tuple[Attribution, ...]:
    """Read back what teachers contributed, by number of the trial."""
    inquiries = sorted(
        (stored.inquiry.validate_python(record) for _, record in ledger.recall_all(INQUIRY)),
        key=lambda inquiry: inquiry.trial,
    )
    found = (attribution_of(each, (kept for _, kept in retrainings_in(ledger, each.trial))) for each in inquiries)
    return tuple(attribution for attribution in found if attribution is not None)
