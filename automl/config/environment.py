"""Environment variables in addresses, so that no secret stands in a config."""

import os
import re

VARIABLE = re.compile(r"\$\{([^}]*)\}")


def expanded(text: str) -> str:
    """Fill in ``${NAME}``.

    Args:
        text: As it stands in the config.

    Raises:
        ValueError: A variable is not set; the message names it, and never shows a value.
    """
    missing = sorted({name for name in VARIABLE.findall(text) if name not in os.environ})
    if missing:
        raise ValueError(f"environment variables {missing} are not set, but {text!r} needs them; export them first")
    return VARIABLE.sub(lambda match: os.environ[match.group(1)], text)
