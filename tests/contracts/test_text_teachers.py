"""What every kind of teacher that reads texts must keep; a new kind joins with one line in CASES."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from teachers import LOADERS, LoadedModel
from teachers.digests import record_digest
from teachers.endpoint import KeptAnswers
from teachers.head_fitting import Head
from teachers.loading.answers import Answers
from teachers.loading.endpoint import EndpointClassifier
from teachers.loading.sentence_encoder import save_head
from tests.teachers import tiny_models as tiny
from tests.teachers.tiny_models import TEXTS

NAMES = ("yes", "no", "maybe")


def classifier(folder: Path, seed: int, length: int, make: Callable[..., object]) -> LoadedModel:
    tiny.save(folder / "model", make(seed=seed))
    return LOADERS["transformers"](
        model=str(folder / "model"), reads="texts", class_names=NAMES, max_length=length, batch=3
    )


def encoder(folder: Path, seed: int, length: int, *, known: int = 0) -> LoadedModel:
    tiny.save(folder / "model", tiny.bert(seed=seed, head=False))
    torch.manual_seed(seed)
    head = Head(weight=torch.randn(3, 8), bias=torch.randn(3))
    loading = {"model": str(folder / "model"), "num_classes": 3, "max_length": length, "batch": 3}
    embeddings = LOADERS["sentence_encoder"](**loading).model.embed(TEXTS[:known] or TEXTS)  # type: ignore[attr-defined]
    answers = Answers.of(TEXTS[:known], head(embeddings).numpy()[:known])
    save_head(folder, head, answers)
    return LOADERS["sentence_encoder"](**loading, head=folder)


def endpoint(folder: Path, seed: int, length: int) -> LoadedModel:
    """Answers are there already, so that no server is needed; ``test_endpoint.py`` has one."""
    loaded = LOADERS["endpoint"](
        url="http://127.0.0.1:9/v1", model=f"{seed} {length}", reads="texts", kept=folder / "kept", class_names=NAMES
    )
    assert isinstance(loaded.model, EndpointClassifier)
    client, question = loaded.model._client, loaded.model._question
    for place, text in enumerate(TEXTS):
        key = client._key("chat/completions", question.payload(text))
        KeptAnswers(folder / "kept").keep(key, [{"message": {"content": NAMES[(place + seed) % 3]}}])
    return loaded


def completions(folder: Path, seed: int, length: int) -> LoadedModel:
    lines = [{"prompt": text, "label": NAMES[(place + seed + length) % 3]} for place, text in enumerate(TEXTS)]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return LOADERS["completions"](path=folder / "a.jsonl", reads="texts", inputs=TEXTS, class_names=NAMES)


CASES: dict[str, Callable[[Path, int, int], LoadedModel]] = {
    "transformers-bert": lambda *a: classifier(*a, tiny.bert),
    "transformers-distilbert": lambda *a: classifier(*a, tiny.distilbert),
    "transformers-gpt2": lambda *a: classifier(*a, tiny.gpt2_classifier),
    "sentence_encoder": encoder,
    "sentence_encoder-answers": lambda *a: encoder(*a, known=4),
    "endpoint": endpoint,
    "completions": completions,
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> dict[str, LoadedModel]:
    return {name: case(tmp_path_factory.mktemp(name), 1, 12) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def elsewhere(loaded, tmp_path_factory) -> dict[str, np.ndarray]:
    """Logits of all cases, computed by one other process from pickled models."""
    folder = tmp_path_factory.mktemp("process")
    (folder / "in").write_bytes(pickle.dumps(({name: one.model for name, one in loaded.items()}, TEXTS)))
    code = (
        "import pickle, sys, torch; torch.set_num_threads(1)\n"
        "models, texts = pickle.load(open(sys.argv[1] + '/in', 'rb'))\n"
        "answers = {name: model(texts).logits.numpy() for name, model in models.items()}\n"
        "pickle.dump(answers, open(sys.argv[1] + '/out', 'wb'))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, timeout=120, cwd=Path(__file__).parents[2])
    return pickle.loads((folder / "out").read_bytes())


@pytest.mark.parametrize("name", CASES)
def test_logits_do_not_depend_on_how_texts_are_batched(loaded, name):
    whole = loaded[name].model(TEXTS).logits
    for size in (1, 2, 5):
        starts = range(0, len(TEXTS), size)
        pieces = torch.cat([loaded[name].model(TEXTS[start : start + size]).logits for start in starts])
        torch.testing.assert_close(pieces, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_logits_are_float32_without_gradient_and_repeat_to_the_bit(loaded, name):
    first, again = loaded[name].model(TEXTS).logits, loaded[name].model(TEXTS).logits
    assert first.shape == (len(TEXTS), 3)
    assert first.dtype == torch.float32
    assert not first.requires_grad
    assert torch.equal(first, again)


@pytest.mark.parametrize("name", CASES)
def test_a_pickled_model_gives_the_same_in_another_process(loaded, elsewhere, name):
    np.testing.assert_allclose(elsewhere[name], loaded[name].model(TEXTS).logits.numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_digest_names_weights_and_how_texts_are_read(name, tmp_path):
    digest = CASES[name](tmp_path, 1, 12).digest
    assert CASES[name](tmp_path, 1, 12).digest == digest
    assert CASES[name](tmp_path, 2, 12).digest != digest
    assert CASES[name](tmp_path, 1, 2).digest != digest
    assert len(digest) == len(record_digest(""))


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_refused_or_unknown(loaded, name):
    numbers = torch.zeros(2, 4)
    if name == "completions":
        assert (loaded[name].model(numbers).logits == 0).all()
    else:
        with pytest.raises(ValueError, match=r"this teacher reads texts, got numbers of shape \(2, 4\)"):
            loaded[name].model(numbers)
