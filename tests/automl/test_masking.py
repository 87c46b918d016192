"""No secret leaves in what is shown, uploaded or logged, and what is none stays as it is."""

import pytest

from automl.masking import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://alice:s3@cret@host:5000/x", "http://***@host:5000/x"),
        ("cannot open postgresql+psycopg2://u:p@db/mlflow now", "cannot open postgresql+psycopg2://***@db/mlflow now"),
        ("postgresql://u:pa/s'w@db/automl", "postgresql://***@db/automl"),
        ("https://host/?token=abc&user=x", "https://host/?token=***&user=x"),
        ("https://host/?access_token=abc&API-KEY=x", "https://host/?access_token=***&API-KEY=***"),
    ],
)
def test_secrets_of_addresses_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////home/a@b/mlflow.db",
        "http://host:5000/models/a@b",
        "max_tokens: 128, tokenizer: bert, author: Bo",
        "password: ${DB_PASSWORD}",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


def test_what_a_message_tells_is_masked_to_the_end_of_its_line() -> None:
    assert mask("refused {'api_key': 'x y'}\nat host") == "refused {'api_key': ***\nat host"
