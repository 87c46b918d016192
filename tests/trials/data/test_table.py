import gzip

import numpy as np
import pandas as pd
import pytest

from trials.data.table import read_table

CSV = """kind,age,site,weight,flag
NA,1,01,2.5,True
dog,2,02,3,False
,3,,4.5,True
"""


def write(path, text=CSV):
    path.write_text(text)
    return path


def test_numeric_columns_make_vectors(tmp_path):
    raw = read_table(path=write(tmp_path / "a.csv"), label="kind", columns=["site"])
    assert raw.inputs.tolist() == [[1, 2.5, 1], [2, 3, 0], [3, 4.5, 1]]
    assert raw.inputs.dtype == np.float32
    assert raw.feature_names == ("age", "weight", "flag")
    # "NA" is a name, "01" is not 1, and what is empty is missing.
    assert (raw.labels.tolist(), raw.class_names) == ([0, 1, -100], ("NA", "dog"))
    assert raw.columns["site"].tolist() == ["01", "02", ""]


def test_features_in_the_order_asked_for_and_columns_that_are_features_too(tmp_path):
    raw = read_table(path=write(tmp_path / "a.csv"), label="kind", features=["weight", "age"], columns=["age"])
    assert raw.inputs.tolist() == [[2.5, 1], [3, 2], [4.5, 3]]
    assert raw.columns["age"].tolist() == [1, 2, 3]
    assert raw.feature_names == ("weight", "age")


def test_texts(tmp_path):
    raw = read_table(path=write(tmp_path / "a.tsv", "t\ty\nnull\tb\n\ta\n1\tb\n"), label="y", text="t")
    assert raw.inputs == ["null", "", "1"]
    assert raw.feature_names == ("t",)
    assert raw.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz"])
def test_all_formats_give_the_same(tmp_path, name):
    frame = pd.DataFrame({"x": [1.5, 2, 3], "y": ["b", None, "a"], "n": [4, 5, 6], "s": ["train", "train", "test"]})
    if name.endswith("parquet"):
        frame.to_parquet(tmp_path / name)
    elif name.endswith("gz"):
        (tmp_path / name).write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    else:
        frame.to_csv(tmp_path / name, index=False)
    raw = read_table(path=tmp_path / name, label="y", split="s")
    assert raw.inputs.tolist() == [[1.5, 4], [2, 5], [3, 6]]
    assert raw.labels.tolist() == [1, -100, 0]
    assert {split: rows.tolist() for split, rows in raw.given_splits.items()} == {"train": [0, 1], "test": [2]}


def test_whole_numbers_stay_whole_beside_empty_labels(tmp_path):
    pd.DataFrame({"x": [1, 2, 3], "y": pd.array([10, None, 9], dtype="Int64")}).to_parquet(tmp_path / "a.parquet")
    for path in (tmp_path / "a.parquet", write(tmp_path / "a.csv", "x,y\n1,10\n2,\n3,9\n")):
        raw = read_table(path=path, label="y")
        assert (raw.labels.tolist(), raw.class_names) == ([1, -100, 0], ("9", "10"))


def test_columns_of_whole_numbers_stay_numbers_in_parquet(tmp_path):
    pd.DataFrame({"x": [1, 2], "y": [0, 1], "site": [7, 8]}).to_parquet(tmp_path / "a.parquet")
    raw = read_table(path=tmp_path / "a.parquet", label="y", columns=["site"])
    assert raw.columns["site"].tolist() == [7, 8]
    assert raw.inputs.shape == (2, 1)


def test_a_file_a_split(tmp_path):
    files = {"test": write(tmp_path / "e.csv", "x,y\n9,a\n"), "train": write(tmp_path / "t.csv", "x,y\n1,a\n2,b\n")}
    raw = read_table(path=files, label="y")
    assert raw.inputs.tolist() == [[1], [2], [9]]
    assert {split: rows.tolist() for split, rows in raw.given_splits.items()} == {"train": [0, 1], "test": [2]}


def test_given_class_names(tmp_path):
    raw = read_table(path=write(tmp_path / "a.csv"), label="kind", features=["age"], class_names=["dog", "NA"])
    assert raw.labels.tolist() == [1, 0, -100]


def test_a_word_among_numbers_is_told_and_a_column_of_words_left_out(tmp_path):
    rows = [f"{row},{'oops' if row == 4 else row},{'ab'[row % 2]}x,{'ab'[row % 2]}" for row in range(10)]
    path = write(tmp_path / "a.csv", "\n".join(["x,y,word,kind", *rows]))
    with pytest.raises(
        ValueError, match=r"column 'y' holds numbers, but 'oops' in row 4 .*and no number in 1 rows; mend"
    ):
        read_table(path=path, label="kind")
    assert read_table(path=path, label="kind", features=["x"]).inputs.shape == (10, 1)
    assert read_table(path=path, label="kind", columns=["y"]).inputs.shape == (10, 1)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (CSV, {"label": "king"}, r"has no column 'king', did you mean 'kind'\? it has age, flag, kind, site, weight"),
        (CSV, {"label": "kind", "features": ["age", "sight"]}, r"has no column 'sight', did you mean 'weight'\?"),
        ("x,y\nred,a\n", {"label": "y", "features": ["x"]}, r"features x are not numeric"),
        ("x,y\nred,a\n", {"label": "y"}, "no numeric column is left for features"),
        ("x,y\n1,a\nNaN,b\n,a\n", {"label": "y"}, "feature 'x' has no value in 2 rows, first in row 1"),
        ("x,y,s\n1,a,dev\n", {"label": "y", "split": "s"}, r"'s' must hold one of .*'dev'"),
        ("x,y,s\n1,a,\n2,a,train\n", {"label": "y", "split": "s"}, r"in every row, it also holds ''"),
        ("x,y\n", {"label": "y"}, "has no rows"),
        ("x,y\n1,a\n2\n", {"label": "y"}, r"a\.csv, line 3: has 1 field, but the header names 2 columns"),
        ("x,x,y\n1,2,a\n", {"label": "y"}, r"a\.csv, line 1: names 'x' more than once"),
        ("x;y\n1;a\n", {"label": "y"}, r"a\.csv: its columns are separated by ';', expected ','"),
        ("", {"label": "y"}, r"a\.csv is empty; expected a line with the names of the columns"),
        ('x,y\n1,"a\n', {"label": "y"}, "cannot read .*a.csv"),
        (CSV, {"label": "kind", "text": "site", "features": ["age"]}, "either a text column or features"),
    ],
)
def test_mistakes_are_named(tmp_path, text, options, message):
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(ValueError, match=message):
        read_table(path=path, **options)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(ValueError, match=r"the suffix must be one of .csv, .parquet, .pq, .tsv"):
        read_table(path=write(tmp_path / "a.xlsx"), label="y")
    with pytest.raises(ValueError, match=r"cannot read .*a\.parquet"):
        read_table(path=write(tmp_path / "a.parquet"), label="y")
    (tmp_path / "latin.csv").write_bytes(b"x,y\n1,\xe9\n")
    with pytest.raises(ValueError, match=r"latin\.csv, line 2: is no UTF-8 text"):
        read_table(path=tmp_path / "latin.csv", label="y")
    files = {"train": write(tmp_path / "a.csv")}
    with pytest.raises(ValueError, match="either files by split or a split column"):
        read_table(path=files, label="kind", split="site")
