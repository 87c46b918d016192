"""Whether half a module may become a whole one."""

import pytest

from trials.syntax import parses_so_far


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1\n",
        "x = (1,\n",
        "def f():\n",
        "def f():\r\n    x = 1\r\n",
        "try:\n    pass\n",
        "x = '''abc\n",
        "class A:\n    def f(self):\n        return [\n            a,\n",
        "@a\n",
        "x = '\\d'\n",
    ],
)
def test_what_may_go_on_parses_so_far(text):
    assert parses_so_far(text)


@pytest.mark.parametrize(
    "text",
    [
        "x = (1 2\n",
        "def f(:\n",
        "x = 'abc\n",
        "x = [1,\n)\n",
        "if a:\n    b\n  c\n",
        "x = 1 +\n",
        "def f():\nx = 1\n",
        "a\x00b",
    ],
)
def test_what_is_wrong_already_does_not(text):
    assert not parses_so_far(text)
