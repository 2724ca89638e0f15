"""Lists of pairs: CSV, JSON lines, manifests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stereo.errors import InputError
from stereo.run.lists import PairList


def listed(path: Path, text: str) -> PairList:
    path.write_text(text)
    return PairList(path)


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    csv = listed(tmp_path / "a.csv", "left,right,name\nl/0.png,r/0.png,zero\n\nl/1.png,r/1.png,\n")
    lines = [
        {"left": "l/0.png", "right": "r/0.png", "name": "zero"},
        {"left": "l/1.png", "right": "r/1.png"},
    ]
    jsonl = listed(tmp_path / "a.jsonl", "\n".join(map(json.dumps, lines)))
    assert list(csv) == list(jsonl)
    assert len(csv) == 2
    first, second = csv
    assert (first.name, first.left) == ("zero", tmp_path / "l/0.png")
    assert second.name == "l_1"


def test_without_right_the_left_image_holds_both(tmp_path: Path) -> None:
    (pair,) = listed(tmp_path / "a.csv", "left,third\nboth.png,c.png\n")
    assert pair.right is None
    assert pair.third == tmp_path / "c.png"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "a.png,b.png\n", "the first line of a CSV names the columns"),
        ("a.csv", "left,right\n", "lists no pairs"),
        ("a.csv", "left,right\na,b,c\n", "line 2: has more values than columns"),
        ("a.csv", "left,right\n,b\n", "line 2: names no left image"),
        ("a.csv", "left,right,name\na,b,x\nc,d,x\n", "line 3: a second pair named 'x'"),
        ("a.jsonl", "[1]\n", "line 1: expected"),
        ("a.jsonl", '{"left": 3}\n', "line 1: left is 3; a text was expected"),
        ("a.jsonl", "{\n", "line 1: is no JSON"),
        ("a.jsonl", "[" * 90_000 + "\n", "line 1: is no JSON"),
        ("a.jsonl", " " * 200_000, "is too long for a pair"),
    ],
)
def test_mistakes_name_the_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        listed(tmp_path / name, text)


def test_what_is_no_file_or_no_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such list of pairs"):
        PairList(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"left,right\n\xff\xfe,b\n")
    with pytest.raises(InputError, match="cannot be read as text"):
        PairList(tmp_path / "b.csv")
