"""A teacher behind an OpenAI-compatible endpoint: it votes on classes of texts, or writes.

Shape letters: B = batch, C = classes.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from teachers.digests import record_digest
from teachers.endpoint import Client, KeptAnswers, Server, class_logits, completion_of, read_completions
from teachers.generating import Generation, check_settings
from teachers.loading.answered import AnsweredModel, answered
from teachers.loading.answers import Answers
from teachers.loading.loaded import LoadedModel
from teachers.loading.text_batches import texts_of
from teachers.outputs import Inputs, Outputs

Interface = Literal["chat", "completions"]

PROMPT = """\
Which of these classes does the text belong to?
Classes: {classes}
Answer with the name of the class alone.

Text: {text}
Class:"""
"""What a server is asked unless the config says otherwise."""

_MOST_PROBABLE = 20
"""First tokens whose probabilities are asked for; as many as OpenAI gives."""

_PATHS = {"chat": "chat/completions", "completions": "completions"}


@dataclass(frozen=True, kw_only=True)
class Question:
    """How texts are put to a server.

    Args:
        interface: ``chat`` sends a message to ``/chat/completions``, ``completions`` a text to ``/completions``.
        prompt: With ``{text}``, and ``{classes}`` for their names.
        class_names: That may be answered, in the order of the logits.
        max_tokens: Of an answer.
        smoothing: As in ``class_logits``.
    """

    interface: Interface
    prompt: str
    class_names: tuple[str, ...]
    max_tokens: int
    smoothing: float

    def __post_init__(self) -> None:
        """Reject a prompt without the text, and a smoothing that is no share."""
        if "{text}" not in self.prompt:
            raise ValueError("prompt must hold {text}, where the text to be classified goes")
        if not 0 < self.smoothing < 1:
            raise ValueError(f"smoothing must be between 0 and 1, got {self.smoothing}")

    def payload(self, text: str) -> dict[str, object]:
        """Give the body of a request about a text."""
        parts = {"{text}": text, "{classes}": ", ".join(self.class_names)}
        # In one go: a text may hold {classes}, too.
        prompt = re.sub(r"\{text\}|\{classes\}", lambda match: parts[match.group()], self.prompt)
        if self.interface == "chat":
            asked: dict[str, object] = {
                "messages": [{"role": "user", "content": prompt}],
                "logprobs": True,
                "top_logprobs": _MOST_PROBABLE,
            }
        else:
            asked = {"prompt": prompt, "logprobs": _MOST_PROBABLE}
        return {**asked, "max_tokens": self.max_tokens, "temperature": 0}


class EndpointClassifier:
    """Asks a server about texts; what it answered once is not asked again."""

    def __init__(self, client: Client, question: Question) -> None:
        """Take both; nothing is sent yet.

        Args:
            client: Asks.
            question: What is asked.
        """
        self._client = client
        self._question = question

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Answer for a batch; equal logits, a guess among all classes, where the server names none."""
        found, _ = self.ask(texts_of(inputs))
        return found(inputs, features)

    def known(self, texts: Sequence[str]) -> int:
        """Count the texts, each once, that the server was asked about before."""
        return self._client.known(self._path, [self._question.payload(text) for text in dict.fromkeys(texts)])

    def ask(self, texts: Sequence[str]) -> tuple[AnsweredModel, int]:
        """Ask about texts, each once.

        Returns:
            What was answered, which can be sent to other machines, and the number of texts for which no class was
            named.

        Raises:
            ValueError: The server refuses.
            EndpointError: The server does not answer.
        """
        model, unclear = self.heard(texts)
        assert isinstance(model.model, AnsweredModel)
        return model.model, unclear

    def heard(self, texts: Sequence[str]) -> tuple[LoadedModel, int]:
        """Do what ``ask`` does, and name what was answered by its contents."""
        asked = list(dict.fromkeys(texts))
        answers = self._client.ask(self._path, [self._question.payload(text) for text in asked])
        names, unclear = self._question.class_names, 0
        logits: NDArray[np.float32] = np.zeros((len(asked), len(names)), dtype=np.float32)
        for row, choices in enumerate(answers):
            found = class_logits(completion_of(choices[0]), names, smoothing=self._question.smoothing)
            unclear += found is None
            logits[row] = 0.0 if found is None else found
        return answered(Answers.of(asked, logits)), unclear

    @property
    def _path(self) -> str:
        return _PATHS[self._question.interface]


class EndpointGenerator:
    """Lets a server write; fulfils ``Generator``, and has no logits."""

    gives_logits = False

    def __init__(self, client: Client, interface: Interface) -> None:
        """Take a client; nothing is sent yet.

        Args:
            client: Asks.
            interface: As in ``Question``.
        """
        self._client = client
        self._interface = interface

    def __call__(self, inputs: Inputs, features: Collection[str] = ()) -> Outputs:
        """Refuse: a server tells no probabilities of all tokens."""
        del inputs, features
        raise ValueError("an endpoint writes texts and gives no logits of tokens; let students learn from its texts")

    def generate(
        self, prompts: Sequence[str], *, samples: int, temperature: float, max_new_tokens: int, seed: int
    ) -> list[list[Generation]]:
        """Ask for texts, one request a prompt; the server may or may not regard the seed."""
        check_settings(samples=samples, temperature=temperature, max_new_tokens=max_new_tokens)
        settings = {"n": samples, "temperature": temperature, "max_tokens": max_new_tokens, "seed": seed}
        payloads: list[dict[str, object]] = [
            {"messages": [{"role": "user", "content": prompt}], "logprobs": True, **settings}
            if self._interface == "chat"
            else {"prompt": prompt, "logprobs": 1, **settings}
            for prompt in prompts
        ]
        answers = self._client.ask(_PATHS[self._interface], payloads)
        return [read_completions(choices)[:samples] for choices in answers]


def load_endpoint(
    *,
    url: str,
    model: str,
    reads: Literal["texts", "images", "tokens"],
    kept: str | Path,
    class_names: Sequence[str] = (),
    labels: Sequence[int] | None = None,
    api_key_env: str | None = None,
    interface: Interface = "chat",
    prompt: str = PROMPT,
    max_tokens: int = 16,
    smoothing: float = 0.05,
    requests_per_minute: float | None = None,
    concurrency: int = 4,
    retries: int = 6,
    timeout_seconds: float = 60.0,
    max_requests: int | None = None,
) -> LoadedModel:
    """Make a teacher of a server's model; nothing is sent until it is asked.

    Args:
        url: As in ``Server``, like all that is not told here.
        model: As the server names it.
        reads: What rows of the data are: texts, which are classified, or token ids of a language model, for which the
            server writes texts.
        kept: File in which answers are kept.
        class_names: Of the data, in the order of their numbers.
        labels: Classes of the data that it covers, in the order of the columns to give; None means all.
        api_key_env: Environment variable that holds the key.
        interface: As in ``Question``, like ``prompt``, ``max_tokens`` and ``smoothing``.
        prompt: Of a question about a text.
        max_tokens: Of an answer that names a class.
        smoothing: Probability that is spread where the text of the answer alone is read.
        requests_per_minute: At most.
        concurrency: Requests at a time.
        retries: After failures that may pass.
        timeout_seconds: Of a request.
        max_requests: That a process may send.

    Raises:
        ValueError: The data are images, or a setting does not fit.
    """
    if reads == "images":
        raise ValueError("an endpoint is asked about texts, and the data are images; take a teacher of another kind")
    server = Server(
        url=url,
        model=model,
        api_key_env=api_key_env,
        requests_per_minute=requests_per_minute,
        concurrency=concurrency,
        retries=retries,
        timeout_seconds=timeout_seconds,
        max_requests=max_requests,
    )
    client = Client(server, KeptAnswers(kept))
    if reads == "tokens":
        digest = record_digest(["endpoint", url, model, interface])
        return LoadedModel(model=EndpointGenerator(client, interface), digest=digest)
    names = tuple(class_names) if labels is None else tuple(class_names[label] for label in labels)
    question = Question(
        interface=interface, prompt=prompt, class_names=names, max_tokens=max_tokens, smoothing=smoothing
    )
    digest = record_digest(["endpoint", url, model, asdict(question)])
    return LoadedModel(model=EndpointClassifier(client, question), digest=digest)
