"""Functions that a model is asked to complete."""

from trials.syntax import Function, completed, functions_of

SOURCE = """import a

class C:
    @a
    def f(self,
          b):

        return b

    def g(self): pass

async def h():
    @a
    def i():
        pass
    return i
"""


def test_a_function_is_begun_up_to_its_colon():
    f, h, i = functions_of(SOURCE)
    assert f.prompt == SOURCE[: SOURCE.index("b):") + 3]
    assert f.body == "\n\n        return b\n"
    assert f.whole == "    def f(self,\n          b):\n\n        return b\n"
    assert h.prompt.endswith("async def h():")
    assert h.whole == SOURCE[SOURCE.index("async") :]
    assert i.body == "\n        pass\n"


def test_what_is_begun_and_its_own_body_make_the_whole():
    for function in functions_of(SOURCE):
        rest = "    return i\n" if "def i" in function.prompt[-9:] else "x = 1\n"
        assert completed(function.prompt, function.body + rest, ended=False) == function.whole


def test_source_that_does_not_parse_has_none():
    assert functions_of("def f(:\n    pass\n") == []


def test_a_function_at_the_very_end_is_whole():
    assert functions_of("def f():\n    pass") == [
        Function(prompt="def f():", body="\n    pass", whole="def f():\n    pass")
    ]
