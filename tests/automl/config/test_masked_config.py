"""A config that is shown says all but its secrets."""

import pytest
import yaml

from automl.config.masked import masked_config

CONFIG = {
    "data": {
        "options": {
            "password": "PRIVATE, with comma",
            "hf_token": "PRIVATE",
            "api_key": "PRIVATE",
            "apiKey": "PRIVATE: colon",
            "pwd": 12345678,
            "aws_secret_access_key": "PRIVATE " * 30,
            "passphrase": "PRIVATE\n\nPRIVATE\n",
            "credentials": {"user": "PRIVATE", "list": ["PRIVATE"]},
            "secrets": ["PRIVATE", "PRIVATE"],
            "seed": 3,
        },
        "name": "digits",
    },
    "storage": "postgresql://me:PRIVATE@host/db",
    "sources": [{"token": "PRIVATE", "kind": "s3"}, {"kind": "s3", "token": "PRIVATE"}],
    "tracking": {"uri": "https://me:PRIVATE@host"},
}


@pytest.mark.parametrize("flow", [False, True, None])
def test_a_config_stays_yaml_and_keeps_all_but_its_secrets(flow: bool | None) -> None:
    masked = masked_config(yaml.safe_dump(CONFIG, default_flow_style=flow, sort_keys=False))
    assert "PRIVATE" not in masked
    assert "12345678" not in masked
    read = yaml.safe_load(masked)
    options = read["data"]["options"]
    assert list(options) == list(CONFIG["data"]["options"])
    assert {value for name, value in options.items() if name != "seed"} == {"***"}
    assert (options["seed"], read["data"]["name"], read["storage"]) == (3, "digits", "postgresql://***@host/db")
    assert read["sources"] == [{"token": "***", "kind": "s3"}, {"kind": "s3", "token": "***"}]
    assert masked_config(masked) == masked


@pytest.mark.parametrize("text", ["", "a: 1\n", "# note\npassword: ${P}\ntoken:\nuse_auth: true\nmax_tokens: 9\n"])
def test_a_config_without_secrets_stays_as_it_is(text: str) -> None:
    assert masked_config(text) == text


def test_what_is_written_in_quotes_and_blocks_is_masked() -> None:
    text = 'uri: "https://me:PRI\\x56ATE@host"\ntoken: |\n  PRIVATE\n\n  PRIVATE\nname: x\n'
    assert yaml.safe_load(masked_config(text)) == {"uri": "https://***@host", "token": "***", "name": "x"}
