"""Texts for an exported student, from any file that may hold them."""

from pathlib import Path

import pytest

from automl.predicting.raw_texts import read_texts


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.txt", "one, two\nthree"),
        ("a.txt", "\ufeffone, two\r\nthree\r\n"),
        ("a.csv", 'id,said\n1,"one, two"\n2,three\n'),
        ("a.csv", 'said\n"one, two"\nthree\n'),
        ("a.csv", '"one, two"\nthree\n'),
        ("a.tsv", "said\tid\none, two\t1\nthree\t2\n"),
        ("a.jsonl", '{"id": 1, "said": "one, two"}\n\n{"said": "three"}\n'),
        ("a.jsonl", '{"other": "one, two"}\n"three"'),
    ],
)
def test_texts_are_found(tmp_path: Path, name: str, written: str) -> None:
    sources, texts = read_texts(write(tmp_path / name, written), column="said")
    assert texts == ["one, two", "three"]
    assert sources == [f"{name}#0", f"{name}#1"]


def test_an_empty_line_is_an_empty_text_so_that_rows_keep_their_numbers(tmp_path: Path) -> None:
    assert read_texts(write(tmp_path / "a.txt", "one\n\nthree\n"), column=None)[1] == ["one", "", "three"]


def test_a_long_text_is_read_whole(tmp_path: Path) -> None:
    (text,) = read_texts(write(tmp_path / "a.csv", "said\n" + "word " * 50_000 + "\n"), column="said")[1]
    assert len(text) == 250_000


@pytest.mark.parametrize(
    ("name", "written", "column", "message"),
    [
        ("a.csv", "id,about\n1,x\n", "said", "no single column 'said', .* the first line names id, about; name"),
        ("a.csv", "said,said\n1,x\n", "said", "no single column 'said'"),
        ("a.csv", "id,about\n1,x\n", None, r"several columns \(id, about\), and nobody says which holds the texts"),
        ("a.csv", "id,said\n1,x\n2\n", "said", "line 3: expected 2 values, got 1"),
        ("a.jsonl", '{"a": "x", "b": "y"}', "said", "line 1: has no single column 'said', .* the object has a, b"),
        ("a.jsonl", '{"said": 3}', "said", "line 1: expected a text, got int"),
        ("a.jsonl", "{said}", "said", "line 1: is no JSON"),
        ("a.txt", "", "said", "holds no texts"),
        ("a.csv", "", "said", "holds no texts"),
        ("a.png", "x", "said", r"the student reads texts, so that the file's name must end in one of \.txt, .*\.npy"),
    ],
)
def test_what_holds_no_texts_is_told(tmp_path: Path, name: str, written: str, column: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_texts(write(tmp_path / name, written), column=column)


def test_files_that_are_not_there_or_not_utf8_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.txt does not exist; the student reads texts: give a file"):
        read_texts(tmp_path / "nowhere.txt", column=None)
    with pytest.raises(ValueError, match="is a folder; the student reads texts"):
        read_texts(tmp_path, column=None)
    with pytest.raises(ValueError, match=r"a\.txt, line 2: is no UTF-8 text"):
        read_texts(write(tmp_path / "a.txt", "one\nzwölf", "latin1"), column=None)
