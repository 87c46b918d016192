"""Environment variables in addresses, so that no secret stands in a config."""

import os
import re

from automl.errors import UserError

VARIABLE = re.compile(r"\$\{([^}]*)\}")


def expanded(text: str) -> str:
    """Fill in ``${NAME}``.

    Args:
        text: As it stands in the config.

    Raises:
        UserError: A variable is not set; the message names it, and never shows what others hold.
    """
    missing = sorted({name for name in VARIABLE.findall(text) if name not in os.environ})
    if missing:
        raise UserError(f"{text!r} needs environment variables that are not set: {', '.join(missing)}; export them")
    return VARIABLE.sub(lambda match: os.environ[match.group(1)], text)
