"""Students of trials that were distilled again without some teachers, as the study keeps them."""

from collections.abc import Iterator

from automl import stored
from automl.contributions import Attribution, Inquiry, Retraining, attribution_of
from automl.ledger import Ledger

INQUIRY, RETRAINING = "attribution:", "retraining:"
"""Prefixes of the facts in the study: ``attribution:TRIAL``, and ``retraining:TRIAL:DIGEST`` for each student."""


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


def attributions_in(ledger: Ledger) -> tuple[Attribution, ...]:
    """Read back what teachers contributed, by number of the trial."""
    inquiries = sorted(
        (stored.inquiry.validate_python(record) for _, record in ledger.recall_all(INQUIRY)),
        key=lambda inquiry: inquiry.trial,
    )
    found = (attribution_of(each, (kept for _, kept in retrainings_in(ledger, each.trial))) for each in inquiries)
    return tuple(attribution for attribution in found if attribution is not None)
