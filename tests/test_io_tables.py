"""Lists as spreadsheets write them: one reader for `batch` and ``--weights-csv``."""

# ruff: noqa: F811 (fixtures that are imported)

import csv
import math
import os
import shutil
import unicodedata
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command_line import fails, place, shared_detector  # noqa: F401

from featureblend.cli import main
from featureblend.edit.average import average, read_weights
from featureblend.edit.batch import BatchSettings, finished_lines, read_rows, run_batch
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.io.tables import as_on_disk, check_choice, flag, number, parse_numbers, read_table, whole, write_table

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")


def write(path, text, encoding):
    mark = "\ufeff" if encoding.endswith(("-le", "-be")) else ""  # as Excel writes it
    path.write_bytes((mark + text).encode(encoding))


def test_both_lists_in_every_dress(tmp_path):
    for encoding in ENCODINGS:
        for delimiter in [",", ";", "\t"]:
            for ending in ["\n", "\r\n", "\r"]:
                number = '"0,25"' if delimiter == "," else "0,25"
                rows = [["photo", "weight"], ["j\u00fcrgen.jpg", number], ["\u9854.jpg", "75%"]]
                write(tmp_path / "w.csv", "".join(delimiter.join(row) + ending for row in rows), encoding)
                assert read_weights(tmp_path / "w.csv") == {"j\u00fcrgen.jpg": 0.25, "\u9854.jpg": 0.75}
                rows = [["photo1", "photo2", "alpha"], ["j\u00fcrgen.jpg", "\u9854.jpg", number]]
                write(tmp_path / "p.csv", "".join(delimiter.join(row) + ending for row in rows), encoding)
                [row] = read_rows(tmp_path / "p.csv")
                assert ([photo.name for photo in row.photos], row.weights) == (
                    ["j\u00fcrgen.jpg", "\u9854.jpg"],
                    [0.75, 0.25],
                )


def test_what_can_only_be_guessed_is_refused_with_what_to_do(tmp_path):
    for content in ["a,b\nj\u00fcrgen.jpg,1\n".encode("cp1252"), b"\xff\xfea", b"a,b\n\0\n"]:
        for read in [read_weights, read_rows]:
            (tmp_path / "list.csv").write_bytes(content)
            with pytest.raises(FeatureblendError, match=r"list\.csv.*save it as UTF-8"):
                read(tmp_path / "list.csv")
    with pytest.raises(FeatureblendError, match=r"none\.csv"):
        read_table(tmp_path / "none.csv")


def test_cells_may_hold_any_line_break(tmp_path):
    (tmp_path / "x.csv").write_text('a,note\n1,"two\nlines"\n2,one\u2028and\x0btwo\x85\n\n3,"""q"", r"\n', "utf-8")
    assert read_table(tmp_path / "x.csv") == [
        (1, ["a", "note"]),
        (2, ["1", "two\nlines"]),
        (4, ["2", "one\u2028and\x0btwo\x85"]),
        (6, ["3", '"q", r']),
    ]


def test_a_table_is_written_byte_for_byte(tmp_path):
    rows = [["name", "note"], ["\udcff.jpg", "two\nlines, one cell"], ["\u00fc", 1.5]]
    assert write_table(tmp_path / "x.csv", iter(rows)) == tmp_path / "x.csv"
    due = b'name,note\r\n\xff.jpg,"two\nlines, one cell"\r\n\xc3\xbc,1.5\r\n'
    assert (tmp_path / "x.csv").read_bytes() == due


def test_numbers_as_people_write_them():
    for text, due in {
        **{"0.25,0.75": [0.25, 0.75], "0,25 0,75": [0.25, 0.75], "25 % 75 %": [0.25, 0.75], "25%,75%": [0.25, 0.75]},
        **{"1;3": [1, 3], "1:3": [1, 3], "1,2,3": [1, 2, 3], "0.5, 0.5": [0.5, 0.5], "0,5;0,5": [0.5, 0.5]},
        **{"-,5 +1,5": [-0.5, 1.5], "\N{MINUS SIGN}1 2": [-1, 2], " 7 ": [7], "1,5%  2": [0.015, 2]},
        "1,2,3 4": [1, 2, 3, 4],
    }.items():
        assert parse_numbers(text, "weights") == due, text
    for wrong in ("0,5", "a 1", "", "%"):
        with pytest.raises(ValueError, match="weights"):
            parse_numbers(wrong, "weights")


def test_what_counts_as_a_number_a_whole_one_or_a_choice():
    for value in (0, 1, 0.5, np.float32(0.5), Fraction(1, 2), np.int64(1)):
        assert number(value, "alpha", 0, 1) == float(value)
    for wrong in (True, "1", None, math.nan, math.inf, 10**400, -0.001, 1.001):
        with pytest.raises(FeatureblendError, match="alpha"):
            number(wrong, "alpha", 0, 1)
    assert [(one, type(one)) for one in map(whole, (256.0, np.int64(3), 0.5, True))] == [
        *((256, int), (3, int), (0.5, float), (True, bool)),
    ]
    assert whole("source") == "source"
    assert [flag(one, "warp") for one in (True, np.False_)] == [True, False]
    for wrong in (1, "no", None):
        with pytest.raises(FeatureblendError, match="warp"):
            flag(wrong, "warp")
    check_choice("pixel", "method", ("latent", "pixel"))
    for wrong in ("pix", 3, ["pixel"]):
        with pytest.raises(FeatureblendError, match="method"):
            check_choice(wrong, "method", ("latent", "pixel"))


def test_what_parts_cells(tmp_path):
    for text, cells in [
        ("photo", ["photo"]),
        ('"a;b",c', ["a;b", "c"]),
        ('"a,b";"c"', ["a,b", "c"]),
        ("aXb", ["aXb"]),
        ("sep=\na\tb", ["a", "b"]),
        ("sep=X\naXb", ["a", "b"]),
        ('"sep=;"\na,b;c', ["a,b", "c"]),
        ("SEP=;\na,b;c", ["a,b", "c"]),
    ]:
        (tmp_path / "x.csv").write_text(text)
        assert [row for _, row in read_table(tmp_path / "x.csv")] == [cells]


def test_a_quote_that_is_never_closed_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text('a,b\n"ana.png,ben.jpg\n')
    with pytest.raises(FeatureblendError, match=r"cannot read .*x\.csv: line 2"):
        read_rows(tmp_path / "x.csv")


def test_weights_by_their_heading_among_other_columns(tmp_path):
    (tmp_path / "w.csv").write_text("id;age;Weight;Photo\n7;31;0,5;ana.jpg\n8;29;2;ben.jpg\n")
    assert read_weights(tmp_path / "w.csv") == {"ana.jpg": 0.5, "ben.jpg": 2}


@pytest.mark.parametrize(("on_disk", "in_list"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_accent_may_be_written_either_way(place, blender, on_disk, in_list):
    name, folder = (unicodedata.normalize(on_disk, word) for word in ("\u00e9.png", "caf\u00e9s"))
    (place / folder).mkdir()
    for source, copy in (("first", name), ("second", "b.png")):
        shutil.copy(EXAMPLES / f"{source}.jpg", place / folder / copy)
    listed = unicodedata.normalize(in_list, "caf\u00e9s/\u00e9.png")
    (place / "p.csv").write_text(f"a,b\n{listed},{folder}/b.png\n", "utf-8")
    [row] = read_rows("p.csv")
    assert row.photos == (Path(folder, name), Path(folder, "b.png"))
    assert as_on_disk(place / listed) == place / folder / name
    (place / "w.csv").write_text(f"{Path(listed).name},1\nb.png,3\n", "utf-8")
    made = average(place / folder, weights="w.csv", method="pixel", blender=blender)
    assert made.recipe["weights"] == [0.75, 0.25] if made.used[0] == "b.png" else [0.25, 0.75]


def test_other_columns_are_carried_through(place, blender):
    (place / "p.csv").write_text(
        'id,photo1,photo2,Age,note,,\n007,ana.png,ben.jpg,31,"two\nlines",,\n,no.png,ben.jpg,,,,\n'
    )
    settings = BatchSettings(measures="none")
    for ages in ("31", "32"):  # a kept row too has what the list says now
        (place / "p.csv").write_text((place / "p.csv").read_text().replace("31", ages))
        run_batch(read_rows("p.csv", {"method": "pixel"}), "out", blender, settings)
        with open("out/results.csv", newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream))
        assert [(line["id"], line["Age"], line["note"]) for line in lines] == [
            ("007", ages, "two\nlines"),
            ("", "", ""),
        ]
        assert [line["status"] for line in lines] == ["done", "failed"]


def test_a_column_of_the_results_own_is_refused(fails, place):
    for column in ["status", "key", "distances_1"]:
        (place / "p.csv").write_text(f"a,b,{column}\nana.png,ben.jpg,x\n")
        assert f"column {column!r}" in fails("batch", "p.csv", "--out", "out")


def test_a_name_may_have_its_ending(place, capsys):
    (place / "p.csv").write_text("a,b,name\nana.png,ben.jpg,x.png\nana.png,ben.jpg,y.JPG\nana.png,ben.jpg,v1.2\n")
    main(["batch", "p.csv", "--out", "out", "--method", "pixel", "--quiet"])
    assert sorted(os.listdir("out")) == ["results.csv", "v1.2.png", "x.png", "y.JPG"]
    main(["batch", "p.csv", "--out", "out", "--method", "pixel", "--quiet"])
    assert "0 made, 3 kept" in capsys.readouterr().out
    (place / "p.csv").write_text("a,b,name\nana.png,ben.jpg,ana.png\n")
    with pytest.raises(SystemExit):
        main(["batch", "p.csv", "--out", ".", "--method", "pixel"])
    assert "which is a photo of row ana" in capsys.readouterr().err


def test_results_that_a_spreadsheet_saved_are_still_results(place, blender):
    (place / "p.csv").write_text("a,b,name\nana.png,ben.jpg,x\n")
    run_batch(read_rows("p.csv", {"method": "pixel"}), "out", blender, BatchSettings(measures="none"))
    before = finished_lines("out/results.csv")
    with open("out/results.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    with open("out/results.csv", "w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream, delimiter=";").writerows(rows)
    assert finished_lines("out/results.csv") == before
    assert list(before) == ["x"]
