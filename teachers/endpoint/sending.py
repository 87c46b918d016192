"""One request to an OpenAI-compatible server, and what its answer means."""

import email.utils
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from teachers.endpoint.server import Server

_PASSING = (408, 409, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may go well."""

_SHOWN = 300
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class PassingError(Exception):
    """A failure that may pass."""

    def __init__(self, message: str, *, retry_after: str | None = None) -> None:
        """Tell it.

        Args:
            message: What happened.
            retry_after: The header of this name.
        """
        super().__init__(message)
        self.wait_seconds = _seconds(retry_after)
        """As the server says; None where it does not."""


class Sender:
    """Sends requests to a server."""

    def __init__(self, server: Server) -> None:
        """Take the server.

        Args:
            server: Its key is read from the environment as a request is sent.
        """
        self._server = server
        local = urlsplit(server.url).hostname in _LOOPBACK
        # What is on this machine is asked past any proxy.
        direct = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(_NoRedirect, *direct)

    def send(self, path: str, body: bytes) -> object:
        """Send a request.

        Args:
            path: Below the server's URL.
            body: JSON.

        Returns:
            The ``choices`` of the answer.

        Raises:
            ValueError: It is refused, or answered in another form than the protocol's.
            PassingError: It failed in a way that may pass.
        """
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if (key := self._api_key()) is not None:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._server.address(path), data=body, headers=headers)  # noqa: S310 - http or https, as checked
        try:
            with self._opener.open(request, timeout=self._server.timeout_seconds) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, path, key) from None  # Its cause holds the headers that were sent.
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise PassingError(f"no answer ({reason})") from None
        return self._choices(content, path)

    def _api_key(self) -> str | None:
        name = self._server.api_key_env
        if name is None:
            return None
        key = os.environ.get(name, "").strip()
        if not key:
            raise ValueError(f"the environment variable {name}, which api_key_env names, is not set; export it")
        return key

    def _refusal(self, error: urllib.error.HTTPError, path: str, key: str | None) -> Exception:
        said = _message_of(error.read())
        said = said.replace(key, "***") if key else said  # Some servers repeat a key that they do not take.
        if error.code in _PASSING:
            return PassingError(f"status {error.code}{said}", retry_after=error.headers.get("Retry-After"))
        remedy = "look at the server's documentation"
        if error.code in (401, 403):
            named = self._server.api_key_env
            remedy = f"check the key in {named}" if named else "name the variable that holds the key in api_key_env"
        elif error.code == 404:
            remedy = f"check url, which ends before /{path}, and that the server has the model {self._server.model!r}"
        elif 300 <= error.code < 400:
            remedy = "give the address that it leads to as url; a key is not sent on to another place"
        address = self._server.address(path)
        return ValueError(f"{address} refused the request with status {error.code}{said}; {remedy}")

    def _choices(self, content: bytes, path: str) -> object:
        try:
            choices = json.loads(content)["choices"]
        except (ValueError, KeyError, TypeError):
            choices = None
        if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
            shown = content[:_SHOWN].decode("utf-8", "replace")
            raise ValueError(
                f"{self._server.address(path)} answered in another form than an OpenAI-compatible server's: expected "
                f"JSON with a list of choices, got {shown!r}; check url"
            )
        return choices


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would carry the key to another host."""

    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        del arguments, named


def _seconds(retry_after: str | None) -> float | None:
    """Read the header ``Retry-After``: seconds, or a date."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def _message_of(content: bytes) -> str:
    """Find what a server says about an error, in the form ``: message``; empty where it says nothing."""
    text = content.decode("utf-8", "replace").strip()
    try:
        error = json.loads(text)["error"]
        text = str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        pass
    text = " ".join(text.split())[:_SHOWN]
    return f": {text}" if text else ""
