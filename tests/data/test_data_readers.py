"""Climate tables, the recognition of formats, and files that are none."""

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from rnnkit.data import read_cet, read_csv, read_giss, read_series

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded series are in shared/data beside the checkout")
MONTHS = "YEAR,JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC"
READERS = pytest.mark.parametrize("read", [read_series, read_csv, read_giss, read_cet])


@pytest.fixture
def file(tmp_path):
    def write(content, name="table.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def giss_row(year, first=1.0, rest="2.5"):
    return f"{year},{first}" + f",{rest}" * 11


@needs_data
def test_the_station_is_read_to_its_last_known_month():
    series = read_giss(DATA / "station.csv")
    assert (len(series), series.unit, series.period) == (901, "degC", 12)
    assert (str(series.dates[0]), str(series.dates[-1])) == ("1950-01", "2025-01")
    assert series.values[[0, 1, -1]].tolist() == [-2.88, 5.51, 3.99]
    assert series.values[:840].mean() == pytest.approx(11.2399, abs=5e-5)
    assert series.values[:840].std() == pytest.approx(5.1465, abs=5e-5)


@needs_data
def test_both_forms_of_central_england_hold_the_same_days():
    by_day, by_month = read_cet(DATA / "tdaily_cet.txt.gz"), read_cet(DATA / "cetdl1772on.dat.gz")
    assert (len(by_day), len(by_month)) == (90_663, 91_005)
    assert np.array_equal(by_day.values, by_month.values[:90_663])
    assert np.array_equal(by_day.dates, by_month.dates[:90_663])
    assert str(by_month.dates[-1]) == "2021-02-28"
    assert by_day.values.mean() == pytest.approx(9.385276, abs=5e-7)


@needs_data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("station.csv", "Series(station, 901 values, degC, 1950-01 to 2025-01, period 12)"),
        ("cetdl1772on.dat.gz", "Series(cetdl1772on, 91005 values, degC, 1772-01-01 to 2021-02-28, period 365)"),
        ("tdaily_cet.txt.gz", "Series(tdaily_cet, 90663 values, degC, 1772-01-01 to 2020-03-23, period 365)"),
        (
            "jena_hourly_2009_2016.csv.gz",
            "Series(T, 70038 values, degC, 2009-01-01T00:10:00 to 2016-12-31T23:50:00, period 24)",
        ),
        (
            "sunspots.csv",
            "Series(Monthly Mean Total Sunspot Number, 3235 values, 1749-01-31 to 2018-07-31, period 12)",
        ),
        ("monthly-sunspots-zurich.csv", "Series(Sunspots, 2820 values, 1749-01 to 1983-12, period 12)"),
        ("international-airline-passengers.csv", "Series(passengers, 144 values, 1949-01 to 1960-12, period 12)"),
        ("optdigits_train.csv", "Series(Block 1, 3823 values)"),
    ],
)
def test_every_recorded_file_is_recognised_from_its_content(name, expected):
    assert repr(read_series(DATA / name)) == expected


def test_the_older_station_form_is_separated_by_blanks(file):
    rows = "\n".join(f"{year} " + " ".join(f"{m}.50" for m in range(12)) + "   8.1   9.2" for year in (1950, 1951))
    text = (
        "station: Seattle\n\n" + MONTHS.replace(",", "   ") + "  D-J-F  metANN\n" + rows.replace(" 11.50 ", " 999.90 ")
    )
    series = read_series(file(text))
    assert len(series) == 23
    assert np.isnan(series.values[11])
    assert series.values[12:15].tolist() == [0.5, 1.5, 2.5]


def test_missing_months_are_dropped_at_the_ends_and_kept_between(file):
    text = "\n".join([MONTHS, giss_row(1950, "999.90"), giss_row(1952, "***"), giss_row(1953, rest="999.9")])
    series = read_giss(file(text))
    assert (str(series.dates[0]), str(series.dates[-1])) == ("1950-02", "1953-01")
    assert np.isnan(series.values[11:24]).all()  # 1951 has no row, and January 1952 is missing
    assert not np.isnan(series.values[:11]).any()


def test_the_monthly_columns_of_central_england_are_tenths_of_a_degree(file):
    lines = [f"1999 {day:2} " + " ".join(f"{10 * month + day:4}" for month in range(11)) for day in range(1, 29)]
    text = "\n".join(line + " -999" for line in lines)
    series = read_series(file(text))
    assert (str(series.dates[0]), str(series.dates[-1])) == ("1999-01-01", "1999-11-28")
    assert series.values[:2].tolist() == [0.1, 0.2]
    assert series.values[-1] == 12.8
    assert np.isnan(series.values[28:31]).all()
    assert series.values[31] == 1.1


def test_a_day_without_a_line_or_value_is_missing(file):
    series = read_cet(file("# remark\nDate Value\n2000-02-28 1.0\n2000-02-29 -999.9\n2000-03-02 3.0\n"))
    assert series.values.tolist() == pytest.approx([1.0, np.nan, np.nan, 3.0], nan_ok=True)


@pytest.mark.parametrize(
    ("read", "text", "sentence"),
    [
        (read_giss, f"{MONTHS}\n{giss_row(1950)}\n1951,1,2\n", "table.txt, line 3: a year and 12 months are expected"),
        (read_giss, f"{MONTHS}\n{giss_row(1950, 'warm')}\n", "table.txt, line 2: 'warm' is not a temperature"),
        (read_giss, f"{MONTHS}\n{giss_row(1950, 1e5)}\n", "line 2: 100000 degC is not a temperature on earth"),
        (read_giss, f"{MONTHS}\n{giss_row('x')}\n", "line 2: a year, 1000 to 2999, is expected first; got 'x'"),
        (read_giss, f"{MONTHS}\n{giss_row(1951)}\n{giss_row(1951)}\n", "line 3: the year 1951 does not follow 1951"),
        (read_giss, f"{MONTHS}\n", "table.txt is not a GISS table: a header YEAR, JAN"),
        (read_giss, "a,b\n1,2\n" * 50, "table.txt is not a GISS table"),
        (read_giss, f"{MONTHS}\n{giss_row(1950, 999.9, '999.9')}\n", "all 12 values of table.txt are missing"),
        (read_cet, "20000101 1.0\n20000102 x\n", "table.txt, line 2: 'YYYYMMDD value' is expected; got '20000102 x'"),
        (read_cet, "20000101 1.0\n20000230 1.0\n", "line 2: there is no day 2000-02-30"),
        (read_cet, "20000102 1.0\n20000101 1.0\n", "line 2: the day 2000-01-01 does not follow the one above"),
        (read_cet, "90000102 1.0\n", "line 1: a year, 1000 to 2999, is expected first; got '9000'"),
        (read_cet, "1 2 3\n", "line 1: 'YYYYMMDD value', or year, day and 12 months in tenths, is expected"),
        (read_cet, "# nothing\n", "table.txt has no lines of temperatures"),
        (read_cet, "2000 1" + " 10" * 12 + "\n2000 2 10\n", "line 2: year, day and 12 whole numbers are expected"),
        (read_cet, "2000 32" + " 10" * 12 + "\n", "line 1: a day of the month is 1 to 31; got 32"),
        (read_cet, "2000 30" + " 10" * 12 + "\n", "line 1: there is no day 2000-02-30, yet it has the value 10"),
        (read_cet, ("2000 1" + " 10" * 12 + "\n") * 2, "line 2: day 1 of 2000 was given before"),
    ],
)  # fmt: skip
def test_a_broken_row_is_named_by_file_and_line(file, read, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(file(text))


def test_a_column_is_refused_where_there_is_nothing_to_choose(file):
    with pytest.raises(ValueError, match=r"holds one series; leave column out \(got 'JAN'\)"):
        read_series(file(f"{MONTHS}\n{giss_row(1950)}\n"), "JAN")


@READERS
def test_what_is_not_a_text_file_is_refused_in_a_sentence(file, read, tmp_path):
    packed = gzip.compress(b"20000101 1.0\n" * 500)
    damaged = packed[:30] + bytes(20) + packed[50:]
    for content, sentence in [
        (b"", "table.txt is empty"),
        (gzip.compress(b""), "table.txt is empty"),
        (packed[:40], "table.txt is a truncated gzip file: it ends after"),
        (damaged, "table.txt is a damaged gzip file"),
        (b"PK\x03\x04\x00\x00", "table.txt, line 1: this is a binary file, not text"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1: the text is UTF-16; save the file as UTF-8"),
        ("T (°C)\n1\n".encode("latin-1"), "line 1: the text is not UTF-8; save the file as UTF-8"),
        (b"1" * (1 << 20) + b"1\n", "line 1: the line is longer than 1 MiB"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            read(file(content))
    with pytest.raises(ValueError, match=f"{tmp_path.name} is a directory; a file of text is expected"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.csv")


@READERS
def test_a_file_over_the_limit_is_refused_before_memory_is_taken(file, read):
    line = b"20000101 1.0\n"
    with pytest.raises(ValueError, match=r"table\.txt holds more than 1000 bytes of text; raise the limit"):
        read(file(line * 100), limit=1000)
    bomb = file(gzip.compress(line * 5_000_000))  # 65 MB of text in 95 kB
    tracemalloc.start()
    with pytest.raises(ValueError, match="holds more than 50000000 bytes of text"):
        read(bomb, limit=50_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6
