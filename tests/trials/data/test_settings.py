"""Names in the section ``data`` that nothing has: told at their key, with the one that was probably meant."""

import numpy as np
import pytest

from trials.data import READERS
from trials.data.settings import SettingError, require_names


@pytest.fixture
def table(tmp_path):
    (tmp_path / "t.csv").write_text("sort,Size,note,part\na,1,x,train\nb,2,y,test\n")
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("options", "setting", "message"),
    [
        (
            {"label": "sorte"},
            "label",
            r"t\.csv has no column 'sorte', did you mean 'sort'\? it has Size, note, part, sort$",
        ),
        ({"label": "sort", "features": ["size"]}, "features", r"no column 'size', did you mean 'Size'\?"),
        ({"label": "sort", "features": ["a", "b"]}, "features", r"no columns 'a', 'b'; it has"),
        ({"label": "sort", "columns": ["not"]}, "columns", r"no column 'not', did you mean 'note'\?"),
        ({"label": "sort", "text": "tex"}, "text", r"no column 'tex'; it has"),
        ({"label": "sort", "split": "prt"}, "split_column", r"no column 'prt', did you mean 'part'\?"),
    ],
)
def test_a_column_of_a_table_is_told_at_its_key(table, options, setting, message):
    with pytest.raises(SettingError, match=message) as refusal:
        READERS["table"](path=table, **options)
    assert refusal.value.setting == (setting,)


def test_an_array_is_told_at_its_key(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 2)), labels=[0, 1])
    with pytest.raises(SettingError, match=r"has no array 'X', did you mean 'x'\? it has labels, x$") as refusal:
        READERS["npz"](path=tmp_path / "a.npz", inputs="X")
    assert refusal.value.setting == ("inputs",)


def test_a_name_that_is_left_out_is_not_asked_for():
    require_names({"text": [None], "label": ["a"]}, ["a"], where="it", what="column")
