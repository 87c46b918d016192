import csv
import gzip

import pytest

from trials.table_files import check_rows, not_utf8


def check(folder, content, *, name="a.csv", separator=",", needed=("y",)):
    path = folder / name
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    check_rows(path, separator=separator, needed=needed)


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,a\n\n2,\n   \n",
        '\ufeffy,x\r\n"a, b",1\r\n"two\r\nlines",2',
        "x,y,,\n1,a,,\n",
        "x;z,y\n1,a\n",
        "x,y\n1," + "long " * 30_000 + "\n",
        "",
    ],
)
def test_whole_tables_pass(tmp_path, text):
    limit = csv.field_size_limit()
    check(tmp_path, text)
    check(tmp_path, text, name="a.csv.gz")
    assert csv.field_size_limit() == limit


def test_tabs_separate_where_they_shall(tmp_path):
    check(tmp_path, "x\ty\n1\ta, b\n", name="a.tsv", separator="\t")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,a\n2\n", r"line 3: has 1 field, but the header names 2 columns; complete the row"),
        ('x,y\n\n1,"a\nb"\n1,a,\n', r"line 5: has 3 fields, but the header names 2 columns"),
        ('x,y,z\n1,"a\nb"\n', r"line 2: has 2 fields, but the header names 3 columns"),
        ("x,y\n1,2,a\n3,4,b\n", r"line 2: has 3 fields"),
        ("x,y,x,y\n1,a,2,b\n", r"line 1: names 'x', 'y' more than once; give each column a name of its own"),
        ("x;y\n1;a\n", r"separated by ';', expected ','; write it anew, .*sep=';'\).to_csv\(NEW, sep=',', index=False"),
        ("x, in cm;y\n1,5;a\n", r"separated by ';', expected ','"),
        ("x|z\n", r"separated by '\|', expected ','"),
        ("x\ty\n", r"separated by a tab, expected ','"),
        ("x,y\n1,ä\n2,ö\n".encode("latin-1"), r", line 2: is no UTF-8 text \(byte 0xe4\); convert .*-f LATIN1"),
        ("x,y\n1,ä\n".encode("utf-16"), r"line 1: is no UTF-8 text \(byte 0xff\); .*iconv -f UTF-16 -t UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_what_would_be_read_as_something_else_is_refused(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        check(tmp_path, text, name=name)


def test_a_torn_archive_is_told(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"x,y\n" + bytes(range(48, 58)) * 99)[:-12])
    with pytest.raises(ValueError, match=r"cannot read .*a\.csv\.gz"):
        check_rows(path, separator=",", needed=("y",))


def test_the_line_is_told_far_into_a_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"1,a\n" * 9_000 + b"1,\xe4\n")
    assert not_utf8(path).startswith(f"{path}, line 9001: ")
