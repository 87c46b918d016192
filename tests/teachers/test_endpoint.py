"""A remote model behind a server of OpenAI's kind: a process on this machine that can refuse, fail and be slow."""

import math
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from teachers import LOADERS, Generation, Generator, LoadedModel
from teachers.endpoint import EndpointError, KeptAnswers, class_logits, completion_of
from tests.teachers.served import Served

NAMES = ("dog", "cat")
TEXTS = ["meow says it", "woof {classes}", "nothing"]


def load(server: Served, folder: Path, model: str, **more: Any) -> LoadedModel:
    given: dict[str, Any] = {"url": server.url, "class_names": NAMES, "reads": "texts", "retries": 3, **more}
    return LOADERS["endpoint"](model=model, kept=folder / "kept" / "answers.sqlite", **given)


def test_a_text_is_matched_to_a_class_and_smoothed_and_what_names_none_is_a_guess(
    server: Served, tmp_path: Path
) -> None:
    logits = load(server, tmp_path, "plain", smoothing=0.2).model(TEXTS).logits
    expected = torch.tensor([[0.1, 0.9], [0.9, 0.1], [0.5, 0.5]])
    torch.testing.assert_close(logits.softmax(dim=1), expected)


@pytest.mark.parametrize("interface", ["chat", "completions"])
def test_probabilities_of_first_tokens_are_those_of_the_classes(server: Served, tmp_path: Path, interface: str) -> None:
    logits = load(server, tmp_path, "graded", interface=interface).model(TEXTS[:2]).logits
    # 0.9 and 0.05 are told; the rest, 0.05, is spread evenly.
    torch.testing.assert_close(logits.softmax(dim=1), torch.tensor([[0.075, 0.925], [0.925, 0.075]]))


def test_the_prompt_names_the_classes_and_leaves_the_text_as_it_is(server: Served, tmp_path: Path) -> None:
    load(server, tmp_path, "asked", prompt="{classes}? {text}", labels=(1, 0)).model(TEXTS[1:2])
    (asked,) = server.asked("asked")
    assert asked["messages"] == [{"role": "user", "content": "cat, dog? woof {classes}"}]
    assert asked["temperature"] == 0
    assert asked["path"] == "/v1/chat/completions"


def test_nothing_is_asked_twice_by_whichever_process(server: Served, tmp_path: Path) -> None:
    first = load(server, tmp_path, "once").model
    answers = first([*TEXTS, TEXTS[0]]).logits
    again = load(server, tmp_path, "once").model
    assert torch.equal(again(TEXTS).logits, answers[:3])
    assert torch.equal(pickle.loads(pickle.dumps(again))(TEXTS).logits, answers[:3])
    assert len(server.asked("once")) == 3
    load(server, tmp_path, "once", prompt="Another: {text}").model(TEXTS[:1])
    assert len(server.asked("once")) == 4


def test_what_a_killed_process_had_been_answered_is_not_asked_again(server: Served, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from teachers import LOADERS\n"
        "from teachers.endpoint import KeptAnswers\n"
        "keep = KeptAnswers.keep\n"
        "def kept(self, key, answer):\n"
        "    keep(self, key, answer)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "KeptAnswers.keep = kept\n"
        "url, folder = sys.argv[1:]\n"
        "model = LOADERS['endpoint'](url=url, model='killed', kept=folder + '/kept/answers.sqlite', reads='texts',\n"
        "                            class_names=('dog', 'cat'), concurrency=1, retries=0).model\n"
        "model(['meow 1', 'meow 2', 'meow 3'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, server.url, str(tmp_path)], check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == -9
    assert len(server.asked("killed")) == 1
    load(server, tmp_path, "killed").model([f"meow {k}" for k in (1, 2, 3)])
    assert len(server.asked("killed")) == 3


def test_a_busy_server_is_asked_again_when_it_says(server: Served, tmp_path: Path) -> None:
    started = time.monotonic()
    load(server, tmp_path, "busy", concurrency=1).model(TEXTS[:1])
    assert len(server.asked("busy")) == 3
    assert time.monotonic() - started < 0.5  # not by its own, longer pauses


def test_a_slow_answer_is_given_up_and_asked_for_again(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teachers.endpoint.client._LONGEST_PAUSE_SECONDS", 0.01)
    logits = load(server, tmp_path, "late", timeout_seconds=0.2).model(TEXTS[:1]).logits
    assert logits.argmax() == 1
    assert len(server.asked("late")) == 3


def test_pauses_grow_and_end() -> None:
    from teachers.endpoint.client import _pause

    pauses = [_pause(attempt, "key") for attempt in range(12)]
    for attempt, pause in enumerate(pauses):
        assert min(60.0, 0.25 * 2**attempt) <= pause <= min(60.0, 0.75 * 2**attempt)
    assert pauses == [_pause(attempt, "key") for attempt in range(12)]
    assert pauses[0] != _pause(0, "another")


def test_a_server_that_keeps_failing_is_told_and_what_was_answered_stays(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teachers.endpoint.client._LONGEST_PAUSE_SECONDS", 0.01)
    with pytest.raises(EndpointError) as told:
        load(server, tmp_path, "failing", retries=2).model(TEXTS[:1])
    assert str(told.value) == (
        f"{server.url}/chat/completions failed 3 times, last: status 503: overloaded; what was answered before is "
        "kept, and asking again asks for the rest alone"
    )
    with pytest.raises(EndpointError, match=r"failed 1 time, last: no answer \(.*refused.*\)"):
        load(server, tmp_path, "any", url="http://127.0.0.1:9/v1", retries=0).model(TEXTS[:1])


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gone", "refused the request with status 404: the model does not exist; check url, which ends before "
                 "/chat/completions, and that the server has the model 'gone'"),
        ("broken", "answered in another form than an OpenAI-compatible server's: expected JSON with a list of choices, "
                   "got '<html>'; check url"),
        ("moved", "refused the request with status 307: {}; give the address that it leads to as url; a key is not "
                  "sent on to another place"),
        ("locked", "refused the request with status 401: Incorrect API key provided: None; name the variable that "
                   "holds the key in api_key_env"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_with_its_remedy_and_not_tried_again(
    server: Served, tmp_path: Path, model: str, expected: str
) -> None:
    with pytest.raises(ValueError) as told:
        load(server, tmp_path, model, concurrency=1).model(TEXTS)
    assert str(told.value) == f"{server.url}/chat/completions {expected}"
    assert len(server.asked(model)) == 1


def test_the_key_comes_from_the_environment_and_stays_there(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = load(server, tmp_path, "locked", api_key_env="KEY_OF_TESTS")
    monkeypatch.delenv("KEY_OF_TESTS", raising=False)
    with pytest.raises(ValueError, match="the environment variable KEY_OF_TESTS, which api_key_env names, is not set"):
        locked.model(TEXTS[:1])
    monkeypatch.setenv("KEY_OF_TESTS", "not-this-one")
    with pytest.raises(ValueError, match=r"provided: Bearer \*\*\*; check the key in KEY_OF_TESTS") as told:
        locked.model(TEXTS[:1])
    assert told.value.__cause__ is None
    monkeypatch.setenv("KEY_OF_TESTS", "let-me-in")
    locked.model(TEXTS[:1])
    traces = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()] + [pickle.dumps(locked.model)]
    assert traces
    assert not [trace for trace in traces if b"let-me-in" in trace]
    assert load(server, tmp_path, "locked").digest == locked.digest


def test_a_budget_ends_the_asking_and_a_higher_one_goes_on(server: Served, tmp_path: Path) -> None:
    texts = [f"meow {k}" for k in range(5)]
    with pytest.raises(EndpointError, match=r"the budget of 3 requests to .* is used up; .* raise max_requests"):
        load(server, tmp_path, "dear", max_requests=3, concurrency=1).model(texts)
    assert len(server.asked("dear")) == 3
    load(server, tmp_path, "dear", max_requests=2).model(texts)
    assert len(server.asked("dear")) == 5


def test_requests_keep_the_rate(server: Served, tmp_path: Path) -> None:
    load(server, tmp_path, "paced", requests_per_minute=1200).model([f"meow {k}" for k in range(5)])
    times = sorted(asked["at"] for asked in server.asked("paced"))
    assert times[-1] - times[0] >= 4 * 60 / 1200 * 0.9


def test_the_rate_is_one_for_all_processes_and_outlives_a_clock_that_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = KeptAnswers(tmp_path / "a"), KeptAnswers(tmp_path / "a")
    waits = [kept.next_slot("server", seconds=10) for kept in (one, other, one)]
    assert waits[0] == 0
    assert 9 < waits[1] <= 10
    assert 19 < waits[2] <= 20
    assert other.next_slot("another", seconds=10) == 0
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now - 10**6)
    assert one.next_slot("server", seconds=10) == 0


@pytest.mark.parametrize("interface", ["chat", "completions"])
def test_a_server_writes(server: Served, tmp_path: Path, interface: str) -> None:
    model = load(server, tmp_path, "writer", reads="tokens", interface=interface).model
    assert isinstance(model, Generator)
    settings: dict[str, Any] = {"samples": 2, "temperature": 0.7, "max_new_tokens": 9, "seed": 3}
    assert model.generate(["a", "b"], **settings) == [[Generation(text=f"{p} and so on")] * 2 for p in "ab"]
    asked = server.asked("writer")[-1]
    assert {name: asked[name] for name in ("n", "temperature", "max_tokens", "seed")} == {
        "n": 2, "temperature": 0.7, "max_tokens": 9, "seed": 3
    }  # fmt: skip
    with pytest.raises(ValueError, match="writes texts and gives no logits"):
        model(torch.zeros(1, 2, dtype=torch.int64))


def test_a_text_has_the_sum_of_its_tokens_log_probabilities(server: Served, tmp_path: Path) -> None:
    model = load(server, tmp_path, "graded", reads="tokens", interface="completions").model
    assert isinstance(model, Generator)
    ((found,),) = model.generate(["a"], samples=1, temperature=1.0, max_new_tokens=9, seed=0)
    assert found == Generation(text="a and so on", log_probability=-0.75)


def test_tokens_that_begin_several_classes_are_shared_unless_the_answer_names_one() -> None:
    names = ("sport", "space", "art")
    tokens = {"sp": math.log(0.6), "ar": math.log(0.3)}
    content = [
        {"token": "\n", "logprob": 0.0, "top_logprobs": []},
        {
            "token": "sp",
            "logprob": tokens["sp"],
            "top_logprobs": [{"token": t, "logprob": p} for t, p in tokens.items()],
        },
    ]
    for text, expected in (("\nsp", (0.3, 0.3, 0.3)), ("\nspace", (0.0, 0.6, 0.3))):
        found = class_logits(
            completion_of({"message": {"content": text}, "logprobs": {"content": content}}), names, smoothing=0.1
        )
        assert found is not None
        assert [math.exp(each) for each in found] == pytest.approx([each + 0.1 / 3 for each in expected])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat", 0),
        (" **Cat**.", 0),
        ("It is a big cat, I think", 1),
        ("a category", None),
        ("cat or dog", None),
        ("", None),
    ],
)
def test_a_class_is_named_by_all_of_a_text_or_as_the_only_one_within_it(text: str, expected: int | None) -> None:
    found = class_logits(completion_of({"text": text}), ("cat", "big cat" if "big" in text else "dog"), smoothing=0.1)
    if "big" in text:
        assert found is None  # both stand there
    elif expected is None:
        assert found is None
    else:
        assert found is not None
        assert max(range(2), key=found.__getitem__) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"url": "localhost:8000/v1"}, "url must begin with http:// or https://"),
        ({"url": "https://me:secret@host/v1"}, "url must hold no user, password or query"),
        ({"prompt": "What is it?"}, r"prompt must hold \{text\}"),
        ({"smoothing": 1.0}, "smoothing must be between 0 and 1, got 1.0"),
        ({"reads": "images"}, "an endpoint is asked about texts, and the data are images"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    given = {"url": "http://localhost/v1", "reads": "texts", "class_names": NAMES, **change}
    with pytest.raises(ValueError, match=expected) as told:
        LOADERS["endpoint"](model="m", kept=tmp_path / "a", **given)
    assert "secret" not in str(told.value)


def test_a_damaged_file_of_answers_is_told_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_bytes(os.urandom(4096))
    with pytest.raises(ValueError, match="is damaged: file is not a database; move it away to ask everything anew"):
        KeptAnswers(path).find(["a"])
