"""A page as a browser would find it."""

import json
from html.parser import HTMLParser

import pytest

from automl.report import render


class Page(HTMLParser):
    """What a browser would find on a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.figures, self._open = [], "", {}, ("", {})
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = (tag, dict(attrs))

    def handle_data(self, data):
        tag, attributes = self._open
        if tag == "script" and "data-figure" in attributes:
            self.figures[attributes["data-figure"]] = json.loads(data)
        elif tag not in ("script", "style"):
            self.text += data + " "

    def handle_endtag(self, tag):
        self._open = ("", {})

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture(autouse=True)
def _without_plotly(monkeypatch):
    """Leave its 2 MB out, which only slow the reading of a page."""
    monkeypatch.setattr("automl.report.page.packed_plotly", lambda: "")


@pytest.fixture
def read_page():
    """Give what reads a page."""
    return Page


@pytest.fixture
def page(make_run):
    return Page(render(make_run(24)))
