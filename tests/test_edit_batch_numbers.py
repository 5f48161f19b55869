"""How the cells of a list are read: numbers with a decimal point or comma, and what is no text at all."""

import pytest

from featureblend.edit.batch import read_rows
from featureblend.errors import FeatureblendError


@pytest.fixture
def one_row(tmp_path):
    """Read a list with one row, which says that in one column."""

    def read(column, cell, delimiter=";"):
        path = tmp_path / "x.csv"
        lines = [["photo1", "photo2", column], ["ana.jpg", "ben.jpg", cell]]
        path.write_text("".join(f"{delimiter.join(line)}\n" for line in lines))
        [row] = read_rows(path)
        return row

    return read


def test_alpha_is_one_number(one_row):
    for delimiter in [";", "\t"]:
        for cell in ["0,25", "0.25", ",25", " 0,25 ", "2,5e-1", "25%", "25,0 %"]:
            row = one_row("alpha", cell, delimiter)
            assert (row.weights, row.problem) == ([0.75, 0.25], "")
    assert one_row("alpha", '"0,25"', ",").weights == [0.75, 0.25]


def test_alpha_of_more_or_less_than_one_number_fails(one_row):
    for cell in ["0.5 0.9", "0,5 0,9", "0.5,0.9", "0,5,0,9", "1 000,5", "1.000,5", "half"]:
        row = one_row("alpha", cell)
        assert row.problem == f"line 2: alpha {cell!r}: expected one number, such as 0.5"
        assert row.weights is None


def test_alpha_outside_its_range_is_not_taken_for_a_percentage(one_row):
    for cell in ["50", "1,5", "-0.5", "120%", "nan"]:
        row = one_row("alpha", cell)
        assert row.problem == f"line 2: alpha {cell!r}: expected a number from 0 to 1, or a percentage such as 50%"
        assert row.weights is None


def test_weights_are_parted_by_spaces_and_may_have_decimal_commas(one_row):
    for cell, numbers in [
        ("2 1", [2, 1]),
        ("50% 50%", [0.5, 0.5]),
        ("50 %, 50 %", [0.5, 0.5]),
        ("12,5% 87,5%", [0.125, 0.875]),
        ("0,25 0,75", [0.25, 0.75]),
        ("1 0,5", [1, 0.5]),
        ("0,5:0,25", [0.5, 0.25]),
        ("0.5 0,25", [0.5, 0.25]),
        ("2, 1", [2, 1]),
        ("0,5, 0,25", [0.5, 0.25]),
        ("0.5,0.25", [0.5, 0.25]),
        ("1,2,3", [1, 2, 3]),
    ]:
        for column in ["weights", "shape_weights", "texture_weights"]:
            row = one_row(column, cell, "\t")
            assert row.problem == ""
            assert (row.weights if column == "weights" else row.options[column]) == numbers


def test_a_comma_that_may_be_either_fails(one_row):
    for delimiter in [";", "\t", ","]:
        for column in ["weights", "shape_weights", "texture_weights"]:
            cell = '"0,5"' if delimiter == "," else "0,5"
            assert one_row(column, cell, delimiter).problem == (
                f"line 2: {column} '0,5' may be one number or two: part them by a space, such as 0.5 0.5"
            )


def test_weights_that_are_no_numbers_fail(one_row):
    for cell in ["0.5,0.5 1", "much", "1 2 x"]:
        assert "expected numbers separated by spaces" in one_row("weights", cell, "\t").problem


def test_a_list_with_a_nul_character_is_refused_in_one_line(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"photo1,photo2\nan\0a.jpg,ben.jpg\n")
    with pytest.raises(
        FeatureblendError, match=r"^cannot read .*x\.csv: it holds a NUL character, as no list does; .*$"
    ):
        read_rows(tmp_path / "x.csv")
