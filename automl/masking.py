"""Secrets hidden in what is shown, uploaded or logged; ``config.masked`` does it for whole configs."""

import re

_PRIVATE = (
    r"[\w.-]*(?:(?:passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|credential)[\w.-]*"
    r"|token|pwd|auth|authorization)"
)
"""Names of settings whose values are nobody's business; ``max_tokens`` and ``tokenizer`` are none of them."""

_USER_INFO = re.compile(r"(\w://)(?:[^\s/]*|[^\s/:]*:(?!\d+(?:[/\s'\"]|$))\S*)@")
"""What stands before the host; SQLAlchemy takes a slash within a password, a port is none."""

_ASSIGNED = re.compile(rf"(?i)(?<![\w.-])({_PRIVATE}=)[^&\s'\"]+")
_TOLD = re.compile(rf"(?im)(?<![\w.-])({_PRIVATE}['\"]?[ ]*:[ ]+)(?!\*\*\*|'\*\*\*'|['\"]?\$\{{)\S.*$")


def mask(text: str) -> str:
    """Hide passwords and tokens: in addresses, and after ``password=`` or, to the end of the line, ``password: ``.

    Args:
        text: A message or an address.

    Returns:
        The text with ``***`` for what is secret; ``${NAME}``, which the environment fills, stays.
    """
    return _TOLD.sub(r"\1***", _ASSIGNED.sub(r"\1***", _USER_INFO.sub(r"\1***@", text)))


def is_private(key: str) -> bool:
    """Say whether what a setting of this name holds is likely a secret."""
    return re.fullmatch(_PRIVATE, key, re.IGNORECASE) is not None
