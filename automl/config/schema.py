"""The JSON schema of a config, for editors: ``python -m automl.config.schema > docs/config.schema.json``.

An editor with a YAML language server then completes keys, shows their descriptions and underlines mistakes in a config
that begins with ``# yaml-language-server: $schema=PATH/config.schema.json``.
"""

import json
import sys

from automl.config.config import Config


def schema() -> str:
    """Give the schema as it stands in ``docs/config.schema.json``."""
    record = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
