"""Where a function ends that a model wrote, and whether it parses."""

import pytest

from trials.syntax import completed, parses

PROMPT = "import a\n\nclass C:\n    def f(self, b):\n"
HEAD = "    def f(self, b):\n"


@pytest.mark.parametrize(
    ("completion", "kept"),
    [
        ("        return b\n\n    def g(self):\n        pass\n", "        return b\n\n"),
        ("        return b\n\nx = 1\n", "        return b\n\n"),
        (
            "        if b:\n            return 1\n        return 2\n",
            "        if b:\n            return 1\n        return 2\n",
        ),
        ("        x = (\n1)\n        return x\n    y = 1\n", "        x = (\n1)\n        return x\n"),
        ('        """a\nb"""\n        pass\nx\n', '        """a\nb"""\n        pass\n'),
        ("# why\n        pass\nx\n", "# why\n        pass\n"),
        ("    x = 1\n", ""),
    ],
    ids=["next method", "end of class", "to the end", "bracket", "string", "comment", "no body"],
)
def test_a_function_ends_where_a_statement_is_no_further_in(completion, kept):
    assert completed(PROMPT, completion, ended=False) == HEAD + kept


def test_a_line_that_was_not_written_to_its_end_counts_only_where_the_model_ended_itself():
    assert completed(PROMPT, "        a = 1\n        return b", ended=False) == HEAD + "        a = 1\n"
    assert completed(PROMPT, "        return b", ended=True) == HEAD + "        return b"


def test_a_function_within_that_the_model_wrote_itself_ends_nothing():
    body = "        def g():\n            pass\n        return g\n"
    assert completed(PROMPT, body + "    def h(self):\n", ended=False) == HEAD + body


def test_the_last_function_of_the_prompt_is_completed():
    assert (
        completed("async def f():\n    pass\n\nasync def g():\n", "    pass\n", ended=False)
        == "async def g():\n    pass\n"
    )


def test_async_with_opens_no_function():
    prompt = "async def f():\n    async with a:\n"
    assert completed(prompt, "        b\n    return c\nd\n", ended=False) == prompt + "        b\n    return c\n"


def test_without_a_function_all_is_kept():
    assert completed("x = 1\n", "y = 2\nz = 3\n", ended=False) == "x = 1\ny = 2\nz = 3\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n    pass\n", True),
        ("    def f():\n        pass\n", True),
        ("\n    def f():\n        pass\n", True),
        ("def f():\n", False),
        ("    def f():\n      a\n     b\n", False),
        ("x = (", False),
        ("    pass\nelse:\n    pass\n", False),
        ("# why\n", False),
        ("", False),
        (" \n", False),
    ],
)
def test_source_parses_or_not(source, expected):
    assert parses(source) is expected
