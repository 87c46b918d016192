"""A server that speaks OpenAI's protocol, run as a process of its own: ``python endpoint_server.py LOG``.

It prints its port. How it behaves depends on the name of the model that is asked for: ``plain`` tells no probabilities,
``graded`` does, ``busy`` refuses the first two requests, ``late`` answers the third in time, ``locked`` wants the key
``let-me-in``, ``broken`` answers no JSON, ``moved`` sends elsewhere. What an animal says makes a text of its class.
"""

import json
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CLASSES = {"meow": "cat", "woof": "dog"}
lock = threading.Lock()
counts: dict[str, int] = {}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model = body["model"]
        with lock:
            counts[model] = counts.get(model, 0) + 1
            number = counts[model]
            with Path(sys.argv[1]).open("a") as log:
                log.write(json.dumps({"at": time.time(), "path": self.path, **body}) + "\n")
        if model == "late" and number <= 2:
            time.sleep(0.5)
        given = self.headers.get("Authorization")
        odd: dict[str, tuple[Any, ...]] = {
            "failing": (503, {"error": "overloaded"}),
            "moved": (307, {}, {"Location": "http://127.0.0.1:9/v1"}),
            "gone": (404, {"error": {"message": "the model does not exist"}}),
            "broken": (200, "<html>"),
        }
        if number <= 2:
            odd["busy"] = (429, {"error": {"message": "slow down"}}, {"Retry-After": "0.05"})
        if given != "Bearer let-me-in":
            odd["locked"] = (401, {"error": {"message": f"Incorrect API key provided: {given}"}})
        if model in odd:
            self.answer(*odd[model])
            return
        chat = self.path == "/v1/chat/completions"
        prompt = body["messages"][0]["content"] if chat else body["prompt"]
        make = choice if "n" not in body else writing
        self.answer(200, {"choices": [make(prompt, model, chat=chat)] * body.get("n", 1)})

    def answer(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError):  # Whoever asked did not wait.
            self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        del arguments


def choice(prompt: str, model: str, *, chat: bool) -> dict[str, object]:
    name = next((name for word, name in CLASSES.items() if word in prompt.rpartition("Text:")[2]), "I cannot say")
    text = f" {name.capitalize()}.\n" if chat else name
    found: dict[str, object] = {"message": {"content": text}} if chat else {"text": text}
    if model == "graded" and name in CLASSES.values():
        other = next(each for each in CLASSES.values() if each != name)
        top = {name[:2]: -0.105360516, f" {other[:2]}": -2.995732274}  # 0.9 and 0.05
        if chat:
            tops = [{"token": token, "logprob": logprob} for token, logprob in top.items()]
            steps = [{"token": name[:2], "logprob": top[name[:2]], "top_logprobs": tops}]
            found["logprobs"] = {"content": steps}
        else:
            found["logprobs"] = {"tokens": [name[:2]], "token_logprobs": [top[name[:2]]], "top_logprobs": [top]}
    return found


def writing(prompt: str, model: str, *, chat: bool) -> dict[str, object]:
    text = f"{prompt} and so on"
    found: dict[str, object] = {"message": {"content": text}} if chat else {"text": text}
    if model == "graded":
        found["logprobs"] = {"tokens": ["and", "so on"], "token_logprobs": [-0.5, -0.25], "top_logprobs": None}
    return found


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)  # noqa: T201 - read by whoever starts it
    server.serve_forever()
