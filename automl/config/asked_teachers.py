"""Teachers that write: a server that is asked, and a file of what was written before."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from automl.config.part import FilePath, NaturalInt, Part, PositiveInt, PositiveReal, Share
from automl.config.teacher_parts import Coverage, Covers, Name
from teachers.endpoint import Server
from teachers.loading.endpoint import PROMPT


def _name_of_variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        # What came is not shown: it may be the key itself.
        raise ValueError("this must be the name of an environment variable, such as MY_API_KEY, never the key itself")
    return name


def _address(url: str) -> str:
    Server(url=url, model="")
    return url


def _asks_about_a_text(prompt: str) -> str:
    if "{text}" not in prompt:
        raise ValueError("expected {text}, where the text to be classified goes; {classes} stands for their names")
    return prompt


VariableName = Annotated[str, AfterValidator(_name_of_variable)]
Address = Annotated[str, AfterValidator(_address)]
Prompt = Annotated[str, AfterValidator(_asks_about_a_text)]
Smoothing = Annotated[
    Share,
    Field(description="Probability that an answer which names one class leaves to be spread over all."),
]


class EndpointTeacher(Part):
    """A model behind an OpenAI-compatible server."""

    kind: Literal["endpoint"]
    """A model behind an OpenAI-compatible server; every answer is kept for good."""
    name: Name
    covers: Coverage = Covers()
    url: Address
    """Up to the version, such as http://localhost:8000/v1."""
    model: str
    """As the server names it."""
    api_key_env: VariableName | None = None
    """Name of the environment variable that holds the key, never the key itself; null sends none."""
    interface: Literal["chat", "completions"] = "chat"
    """chat asks /chat/completions, completions asks /completions."""
    prompt: Prompt = PROMPT
    """What is asked about a text: {text} stands for it, {classes} for the names of the classes."""
    max_tokens: PositiveInt = 16
    """Tokens of an answer that names a class."""
    smoothing: Smoothing = 0.05
    requests_per_minute: PositiveReal | None = None
    """At most, of all processes of this machine; null sets no pace."""
    concurrency: PositiveInt = 4
    """Requests under way at a time."""
    retries: NaturalInt = 6
    """How often a request is sent again after status 429 or 5xx, or no answer; it waits as the server says, else twice
    as long each time."""
    timeout_seconds: PositiveReal = 60.0
    """Without a word from the server after which a request has failed."""
    max_requests: PositiveInt | None = None
    """Requests that one search may send; null sets no bound."""


class CompletionsTeacher(Part):
    """A file of what a model wrote."""

    kind: Literal["completions"]
    """A file of what a model wrote; it covers the rows that it has answers for."""
    name: Name
    covers: Coverage = Covers()
    path: FilePath
    """A .jsonl or .parquet file with, for each row, label, probabilities, completion or completions."""
    by: str = "prompt"
    """Column of the file that says which row a line is about: one that the data have too (see `columns` of the data),
    or, where they have none of this name, one that holds the text of the row."""
    smoothing: Smoothing = 0.05
