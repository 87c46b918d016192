import collections

import pytest

from search_spaces.imports import import_object


def test_gives_what_the_module_holds():
    assert import_object("collections:OrderedDict") is collections.OrderedDict
    assert import_object("os.path:join") is __import__("os").path.join


@pytest.mark.parametrize(
    "name",
    [
        *(
            "collections",
            "collections.OrderedDict",
            "./spaces.py:space",
            "/abs/spaces.py:space",
            "a b:c",
            "os:path.join",
        ),
        *("os:getcwd()", ":name", "os:", "os..path:join", ".os:path", "os:path:join", "lambda:x", "os:class", ""),
    ],
)
def test_refuses_paths_expressions_and_other_forms(name):
    with pytest.raises(ValueError, match=r"expected an import name as 'package\.module:name'"):
        import_object(name)


@pytest.mark.parametrize(("name", "missing"), [("no_such_pkg:x", "no_such_pkg"), ("os.no_such.deep:x", "os.no_such")])
def test_names_the_module_that_is_not_there(name, missing):
    with pytest.raises(ValueError, match=f"there is no module '{missing}'.*PYTHONPATH"):
        import_object(name)


def test_tells_a_missing_dependency_from_a_missing_module(tmp_path, monkeypatch):
    (tmp_path / "wants_dependency.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="'wants_dependency' needs 'no_such_dependency', which is not installed"):
        import_object("wants_dependency:x")


def test_reports_what_the_module_raised(tmp_path, monkeypatch):
    (tmp_path / "raises_on_import.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="importing 'raises_on_import' failed with ZeroDivisionError"):
        import_object("raises_on_import:x")


def test_offers_near_names():
    with pytest.raises(ValueError, match=r"module 'collections' has no 'OrderdDict'; did you mean one of OrderedDict"):
        import_object("collections:OrderdDict")


def test_lists_names_where_none_is_near(tmp_path, monkeypatch):
    (tmp_path / "holds_two.py").write_text("beta = 1\nalpha = 2\n_hidden = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"it has alpha, beta"):
        import_object("holds_two:zzz")
