"""CSV files as people save them."""

import gzip

import numpy as np
import pytest

from rnnkit.data import read_csv, read_series


@pytest.fixture
def table(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


WEATHER = "Date Time,T (degC),p (mbar)\n2009-01-01 00:10:00,-8.02,996.52\n2009-01-01 01:10:00,-7.62,996.50\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_line_ends_quotes_and_byte_order_marks_make_no_difference(table, separator, end):
    rows = [('"month"', '"x, y"'), ('"1949-01"', "112"), ('"1949-02"', "118.5"), ('"1949-03"', '"1e2"')]
    text = end.join(separator.join(row) for row in rows)
    for content in (text.encode(), ("\ufeff" + text + end).encode(), gzip.compress(text.encode())):
        series = read_csv(table(content))
        assert series.values.tolist() == [112, 118.5, 100]
        assert series.dates.tolist() == np.array(["1949-01", "1949-02", "1949-03"], "datetime64[M]").tolist()
        assert (series.name, series.period) == ("x, y", 12)


def test_a_decimal_comma_is_read_where_it_is_not_the_separator(table):
    assert read_csv(table("Datum;Wert\n01.01.2009;1,5\n02.01.2009;-2\n03.01.2009;3.25\n")).values.tolist() == [
        1.5,
        -2,
        3.25,
    ]
    assert read_csv(table("2009-01;1,5\n2009-02;2,5\n")).values.tolist() == [1.5, 2.5]


def test_a_table_needs_no_header(table):
    series = read_csv(table("1949-01,112\n1949-02,118\n"))
    assert series.values.tolist() == [112, 118]
    assert series.name == "column 1"
    assert read_csv(table("3.5\n4.5\n")).values.tolist() == [3.5, 4.5]
    assert read_csv(table("x\n4.5\n")).values.tolist() == [4.5]


def test_a_column_is_found_by_name_short_name_or_position(table):
    path = table(WEATHER)
    for column in ("p (mbar)", "p", 2):
        series = read_csv(path, column)
        assert series.values.tolist() == [996.52, 996.5]
        assert (series.name, series.unit) == ("p", "mbar")
    assert read_series(path, "p").values.tolist() == [996.52, 996.5]
    assert read_csv(path).name == "T"


def test_the_default_column_is_neither_a_date_nor_an_index(table):
    assert read_csv(table(",Date,Value\n0,1749-01-31,96.7\n1,1749-02-28,104.3\n")).values.tolist() == [96.7, 104.3]
    assert read_csv(table("day,count,value\n20200101,1,7\n20200102,2,7\n")).values.tolist() == [7, 7]
    assert read_csv(table("i\n5\n6\n")).values.tolist() == [5, 6]


@pytest.mark.parametrize(
    ("cells", "dates"),
    [
        (["2009-01", "2009-02"], ["2009-01", "2009-02"]),
        (["2009/1", "2009/2"], ["2009-01", "2009-02"]),
        (["2009-01-31", "2009-02-28"], ["2009-01-31", "2009-02-28"]),
        (["20090131", "20090228"], ["2009-01-31", "2009-02-28"]),
        (["31.01.2009 00:10:00", "1.2.2009 9:20:00"], ["2009-01-31T00:10:00", "2009-02-01T09:20:00"]),
        (["2009-01-31T00:10", "2009-01-31T00:20"], ["2009-01-31T00:10", "2009-01-31T00:20"]),
        (["2009-01-31 00:10:00.000", "2009-01-31 00:20:00Z"], ["2009-01-31T00:10:00", "2009-01-31T00:20:00"]),
    ],
)
def test_dates_are_recognised_in_their_usual_forms(table, cells, dates):
    series = read_csv(table("when,x\n" + "".join(f"{cell},1.5\n" for cell in cells)))
    assert np.array_equal(series.dates, np.array(dates, "datetime64"))


def test_what_is_no_date_leaves_the_series_without_dates(table):
    assert read_csv(table("when,x\n03/04/2020,1.5\n04/04/2020,2.5\n")).dates is None


def test_years_are_dates_under_their_name_and_on_request(table):
    assert str(read_csv(table("Year,x\n1950,2.5\n1951,3\n")).dates[0]) == "1950"
    assert str(read_csv(table("when,x\n1950,2.5\n1952,3\n"), "x", "when").dates[-1]) == "1952"


@pytest.mark.parametrize(
    ("cells", "period"),
    [
        ([f"{y}-{m:02}" for y in (2000, 2001) for m in range(1, 13)], 12),
        ([f"2000-01-01 {h:02}:00" for h in range(24)], 24),
        ([f"2000-01-01 00:{m:02}" for m in range(0, 60, 10)], 144),
        ([f"2000-01-{d:02}" for d in range(1, 29)], 365),
        ([f"2000-01-{d:02}" for d in range(1, 29, 7)], 52),
        (["2000-01", "2000-04", "2000-07", "2000-10"], 4),
        (["2000-01-01", "2000-01-03", "2000-01-05"], None),
        (["2000-01-01 00:00", "2000-01-01 07:00", "2000-01-01 14:00"], None),
        (["2000-01", "2000-02"], None),
    ],
)
def test_the_period_is_the_season_that_the_dates_suggest(table, cells, period):
    assert read_csv(table("when,x\n" + "".join(f"{cell},1.5\n" for cell in cells))).period == period


def test_missing_values_are_kept_in_their_place(table):
    series = read_csv(table("when,x\n2000-01,1\n2000-02,\n2000-03,NA\n2000-04,nan\n2000-05,null\n2000-06,2\n"))
    assert np.isnan(series.values).tolist() == [False, True, True, True, True, False]


@pytest.mark.parametrize(
    ("text", "arguments", "sentence"),
    [
        ("a,b\n1,2\n3\n", {}, "table.csv, line 3: as many cells as in the first row, 2, are expected; got 1"),
        ("a;b\n1;2\n3;4;5\n", {}, "table.csv, line 3: as many cells as in the first row, 2, are expected; got 3"),
        ("x\n1\n2\nwarm\n", {}, "table.csv, line 4: 'warm' is not a finite number"),
        ("x\n1\n2\n1e999\n", {}, "line 4: '1e999' is not a finite number"),
        ("x\n1\n2\ninf\n", {}, "line 4: 'inf' is not a finite number"),
        ("x\n1\n\n2\n", {}, "line 3: the line is blank; write NaN for a missing value"),
        ("d,x\n2000-01,1\n2000-02,1\nsoon,1\n", {}, "line 4: 'soon' is not a date like the others"),
        ("d,x\n2000-01-01,1\n2000-02-30,1\n", {}, "line 3: there is no date 2000-02-30"),
        ("d,x\n2000-03,1\n2000-02,1\n", {}, "dates of table.csv run backwards, 2000-03 to 2000-02; sort the rows"),
        ("d,x\nred,1\n", {"date_column": "d"}, "line 2: 'red' is not a date$"),
        ('a,b\n1,"2\n3,4\n', {}, r"table.csv, line \d: the quotes or the length of a field are broken"),
        ("level,flow\n1,2\n", {"column": "levle"}, "unknown column 'levle'; did you mean 'level'"),
        ("a,b\n1,2\n", {"column": "z"}, "unknown column 'z'. Known are: a, b"),
        ("a,a\n1,2\n", {"column": "a"}, "table.csv has 2 columns 'a'; give the position, from 0"),
        ("a,b\n1,2\n", {"column": 2}, "table.csv has columns 0 to 1; got 2"),
        ("a,b\n1,2\n", {"date_column": "when"}, "unknown column 'when'"),
        ("a,b\nred,blue\n", {}, "table.csv has no column of numbers; its columns are a, b"),
        ("a,b\n", {}, "table.csv has a header and no rows"),
        ("\n\n", {}, "table.csv has no rows"),
        ("a,b\n1,\n2,NA\n", {"column": "b"}, "all 2 values of column 'b' of table.csv are missing"),
    ],
)  # fmt: skip
def test_a_table_that_is_not_one_is_refused_by_file_and_line(table, text, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_csv(table(text), **arguments)


def test_a_long_table_is_checked_to_its_end(table):
    with pytest.raises(ValueError, match="line 502: 'x' is not a finite number"):
        read_csv(table("value\n" + "1.5\n" * 500 + "x\n"))
