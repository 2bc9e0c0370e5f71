"""Tables of several columns."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from rnnkit.data import StandardScaler, Table, read_csv, read_table

JENA = Path(__file__).resolve().parents[3] / "shared" / "data" / "jena_hourly_2009_2016.csv.gz"
WEATHER = (
    "i,Date Time,T (degC),p (mbar),station,rh (%)\n"
    "1,2009-01-01 00:10:00,-8.02,996.52,north,93.30\n"
    "2,2009-01-01 01:10:00,-7.62,NaN,north,93.40\n"
    "3,2009-01-01 02:10:00,-7.85,996.50,north,\n"
)


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_has_every_column_of_numbers_that_is_neither_a_date_nor_an_index(table, packed):
    found = read_table(table(gzip.compress(WEATHER.encode()) if packed else WEATHER))
    rows = [[-8.02, 996.52, 93.3], [-7.62, np.nan, 93.4], [-7.85, 996.5, np.nan]]
    np.testing.assert_array_equal(found.values, rows)
    assert (found.names, found.units, found.period) == (("T", "p", "rh"), ("degC", "mbar", "%"), 24)
    assert (
        found.dates.tolist() == np.array(["2009-01-01T00:10", "2009-01-01T01:10", "2009-01-01T02:10"], "M8[s]").tolist()
    )
    assert repr(found).startswith("Table(3 rows of T (degC), p (mbar), rh (%), 2 missing, 2009-01-01T00:10:00 to ")


def test_columns_come_in_the_order_asked_for_by_name_short_name_or_position(table):
    path = table(WEATHER)
    found = read_table(path, ["rh (%)", "T", 0])
    assert found.names == ("rh", "T", "i")
    np.testing.assert_array_equal(found.values[0], [93.3, -8.02, 1])
    assert read_table(path, ["T"]).values.shape == (3, 1)


def test_a_column_of_a_table_is_the_series_that_read_csv_gives(table):
    path = table(WEATHER)
    found = read_table(path)
    for name in found.names:
        series, alone = found[name], read_csv(path, name)
        np.testing.assert_array_equal(series.values, alone.values)
        np.testing.assert_array_equal(series.dates, alone.dates)
        assert (series.name, series.unit, series.period) == (alone.name, alone.unit, alone.period)


def test_a_table_without_header_dates_and_points_is_read(table):
    found = read_table(table("1,5;2\n3;-4,25\n"))
    np.testing.assert_array_equal(found.values, [[1.5, 2], [3, -4.25]])
    assert (found.dates, found.period, found.names, found.units) == (None, None, ("column 0", "column 1"), ("", ""))


def test_two_columns_of_one_name_are_told_apart_by_their_units(table):
    found = read_table(table("wv (m/s),wv (km/h)\n1,3.6\n2,7.2\n4,14.4\n"))
    assert found.names == ("wv (m/s)", "wv (km/h)")
    assert found.units == ("m/s", "km/h")


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        (WEATHER, ["T", "rhh"], "rh"),
        (WEATHER, ["T", 9], "columns 0 to 5; got 9"),
        (WEATHER, ["T", "T (degC)"], "name one column twice"),
        (WEATHER, [], "columns is empty"),
        (WEATHER, ["T", "station"], r"line 2: 'north' is not a finite number"),
        (WEATHER.replace("-7.85", "x"), None, r"table.csv, line 4: 'x' is not a finite number"),
        (WEATHER.replace("02:10:00", "late"), None, r"line 4: '2009-01-01 late' is not a date like the others"),
        (WEATHER.replace("-7.62,NaN", "-7.62"), None, "line 3: as many cells as in the first row, 6"),
        ("a,b\n1,\n2,NA\n", ["a", "b"], "all 2 values of column 'b' of table.csv are missing"),
        ("a,b\nx,y\nz,w\n", None, "no column of numbers"),
        ("a,b\n", None, "has a header and no rows"),
        ("a,a\n1,2.5\n3,4.5\n", None, "two columns are called 'a'"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(table, text, columns, message):
    with pytest.raises(ValueError, match=message):
        read_table(table(text), columns)


def test_one_name_instead_of_a_list_is_refused(table):
    with pytest.raises(TypeError, match=r"write \['T'\]"):
        read_table(table(WEATHER), "T")


def test_a_table_is_its_values_to_an_array_function_and_cannot_be_changed():
    values = np.arange(6.0).reshape(3, 2)
    found = Table(values, np.array(["2001", "2002", "2003"], "M8[Y]"), ["a", "b"])
    values[0, 0] = 99
    assert len(found) == 3
    np.testing.assert_array_equal(np.asarray(found, np.float32), np.arange(6).reshape(3, 2))
    np.testing.assert_allclose(StandardScaler.fit(found).mean, [2, 3])
    for part in (found.values, found.dates):
        with pytest.raises(ValueError, match="read-only"):
            part[0] = part[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3),), "a table"),
        ((np.zeros((3, 2)), np.array(["2001"], "M8[Y]")), "dates are datetime64"),
        ((np.zeros((3, 2)), None, ["a"]), "names are 2, one for each column; got 1"),
        ((np.zeros((3, 2)), None, ["a", "b"], ["m"]), "units are 2"),
        ((np.zeros((3, 2)), None, ["a", "a"]), "two columns are called 'a'"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Table(*arguments)


def test_a_column_that_is_not_there_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="pressure"):
        Table(np.zeros((3, 2)), None, ["pressure", "wind"])["presure"]


@pytest.mark.skipif(not JENA.exists(), reason="the weather of Jena is not beside the checkout")
def test_the_weather_of_jena_is_read_with_its_six_columns():
    found = read_table(JENA)
    assert found.values.shape == (70_038, 6)
    assert found.names == ("T", "p", "rh", "VPmax", "wv", "Tdew")
    np.testing.assert_array_equal(found.values[0], [-8.02, 996.52, 93.3, 3.33, 1.03, -8.9])
    assert str(found.dates[-1]) == "2016-12-31T23:50:00"
    assert not np.isnan(found.values).any()
