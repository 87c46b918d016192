"""What becomes of what is sent: taken, owed, or refused."""

from dataclasses import dataclass

_REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "MALFORMED_REQUEST")
"""MLflow's words for: sending the same again is of no use."""
_BUGS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What trying again does not mend either; all else is taken for a server that is away."""


@dataclass(frozen=True, kw_only=True)
class TrackingReport:
    """What became of what was given to the tracker.

    Args:
        sent: Trials that MLflow has.
        unsent: Trials that it has not.
        refused: What MLflow would not take, in words; it is not sent again.
        summary_owed: Whether a summary was given and is not sent.
        problem: What went wrong last, without secrets; empty if nothing.
    """

    sent: int
    unsent: int
    refused: tuple[str, ...]
    summary_owed: bool
    problem: str

    def __str__(self) -> str:
        """Say it in a line or two; empty where all is well."""
        lines = [f"MLflow refused {text}" for text in self.refused]
        if self.unsent or self.summary_owed:
            owed = [f"{self.unsent} of {self.sent + self.unsent} trials"] if self.unsent else []
            owed += ["the summary of the front"] if self.summary_owed else []
            lines.append(
                f"MLflow lacks {' and '.join(owed)} ({self.problem or 'time ran out'}); "
                "nothing is lost: the study has them, and resuming the search sends them"
            )
        return "\n".join(lines)


def is_refusal(error: Exception) -> bool:
    """Say whether an error would come again if the same were sent again, rather than tell of a server that is away."""
    if getattr(error, "error_code", None) in _REFUSALS:
        return True
    # An answer that is no JSON is a ValueError to Python and a failed request to MLflow's client: an OSError.
    return isinstance(error, _BUGS) and not isinstance(error, OSError)
