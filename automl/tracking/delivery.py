"""What becomes of what is sent: taken, owed, or refused."""

import re
from dataclasses import dataclass

from automl.masking import mask

_REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "MALFORMED_REQUEST")
"""MLflow's words for: sending the same again is of no use."""
_BUGS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What trying again does not mend either; all else is taken for a server that is away."""

_AWAY = (
    (r"disk is full|no space left", "its disk is full"),
    (r"timed? ?out", "it does not answer in time"),
    (r"resolve|name or service not known|nodename nor servname|getaddrinfo", "no machine of this name is known"),
    (r"refused|newconnectionerror", "nothing answers there"),
    (r"certificate|ssl", "its certificate is not accepted"),
    (r"error code (401|403)|unauthori[sz]ed|forbidden|permission_denied", "it refuses to let this user in"),
    (r"error code 5\d\d|internal_error", "it fails itself; see its log"),
    (r"connection (reset|aborted)|remotedisconnected", "it broke the connection off"),
)
"""What a user shall read of a server that is away, by what its libraries say."""


def told_plainly(uri: str, error: Exception) -> str:
    """Say why a server cannot be used, without what only its libraries' authors understand.

    Args:
        uri: Of the server; secrets are masked.
        error: Of MLflow or a library that it stands on.
    """
    text = f"{type(error).__name__}: {error}"
    for pattern, words in _AWAY:
        if re.search(pattern, text, re.IGNORECASE):
            return f"{mask(uri)}: {words}"
    return mask(f"{uri}: {text}").split("\n", 1)[0]


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
                # Why is told when the contact is lost.
                f"MLflow lacks {' and '.join(owed)}, {'as it is away' if self.problem else 'as time ran out'}; "
                "nothing is lost: the study has them, and resuming the search sends them"
            )
        return "\n".join(lines)


def is_refusal(error: Exception) -> bool:
    """Say whether an error would come again if the same were sent again, rather than tell of a server that is away."""
    if getattr(error, "error_code", None) in _REFUSALS:
        return True
    # An answer that is no JSON is a ValueError to Python and a failed request to MLflow's client: an OSError.
    return isinstance(error, _BUGS) and not isinstance(error, OSError)
