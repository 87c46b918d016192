"""Names of runs; kept apart from the config so that `automl init` needs nothing heavy."""

import re

FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What can name a folder, a file and an MLflow experiment alike."""
