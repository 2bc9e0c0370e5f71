"""The dates and digits of the examples: the Spanish is right, and what the recipes print is what they should reach."""

import datetime
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recipe_runs import DATA, EXAMPLES, needs, quick

WORDS = {
    0: "cero", 1: "uno", 15: "quince", 16: "dieciséis", 17: "diecisiete", 20: "veinte", 21: "veintiuno",
    22: "veintidós", 23: "veintitrés", 24: "veinticuatro", 26: "veintiséis", 29: "veintinueve", 30: "treinta",
    31: "treinta y uno", 42: "cuarenta y dos", 60: "sesenta", 78: "setenta y ocho", 87: "ochenta y siete",
    99: "noventa y nueve",
}  # fmt: skip
YEARS = {
    1900: "mil novecientos", 1903: "mil novecientos tres", 1987: "mil novecientos ochenta y siete", 2000: "dos mil",
    2016: "dos mil dieciséis", 2099: "dos mil noventa y nueve",
}  # fmt: skip


@pytest.fixture(scope="module")
def dates() -> Any:
    sys.path.insert(0, str(EXAMPLES))
    try:
        import dates as module
    finally:
        sys.path.pop(0)
    return module


def test_numbers_and_years_are_written_as_spanish_writes_them(dates: Any) -> None:
    assert {n: dates.number(n) for n in WORDS} == WORDS
    assert {n: dates.year(n) for n in YEARS} == YEARS
    assert len({dates.number(n) for n in range(100)}) == 100
    assert len({dates.year(n) for n in range(1900, 2100)}) == 200


def test_a_date_is_written_with_its_own_day_month_and_year(dates: Any) -> None:
    rng, date = np.random.default_rng(0), datetime.date(1987, 3, 3)
    forms = {dates.written(date, rng) for _ in range(400)}
    assert {"el tres de marzo de mil novecientos ochenta y siete", "3 de marzo de 1987"} <= forms
    assert "martes, 3 de marzo de 1987" in forms  # a Tuesday
    assert {"el primero de", "el uno de"} <= {
        " ".join(dates.written(datetime.date(2001, 9, 1), rng).split()[:3]) for _ in range(200)
    }
    for form in forms:
        words = form.replace(",", "").split(" de ")
        assert words[0].split()[-1] in ("tres", "3")
        assert words[1:] in (["marzo", "1987"], ["marzo", "mil novecientos ochenta y siete"])


def test_no_date_is_made_twice_and_every_letter_is_known(dates: Any) -> None:
    texts, isos = dates.dates(3000)
    assert len(set(isos)) == 3000
    assert {letter for text in texts for letter in text} <= set(dates.LETTERS)
    assert all("1900-01-01" <= iso <= "2099-12-31" for iso in isos)
    assert dates.dates(3000) == (texts, isos)


def test_the_nearest_text_is_the_one_that_shares_most_pieces(dates: Any) -> None:
    others = ["uno de mayo de 1950", "dos de junio de 2001", "tres de abril de 1999"]
    assert dates.nearest(["el dos de junio de 2002", "13 de abril de 1999"], others).tolist() == [1, 2]


@pytest.mark.slow
def test_dates_that_were_never_seen_are_read_and_written_better_than_by_looking_up_the_nearest(tmp_path: Path) -> None:
    _, score = quick("dates", tmp_path)
    assert score["commonest digit at each place"][0] == 0
    assert score["nearest date of training"][0] == 0
    assert score["LSTM encoder, LSTM decoder"][0] > 40  # 79 where the gradient is right
    assert score["LSTM encoder, LSTM decoder"][1] > score["nearest date of training"][1] + 5
    assert score["the same, a beam of 3"][0] > 40


@pytest.mark.slow
@needs("optdigits_train.csv")
def test_an_image_is_spelt_in_both_languages(tmp_path: Path) -> None:
    _, score = quick("digits", tmp_path, "--data", DATA)
    for language in ("Spanish", "English"):
        assert score[f"{language}: nearest image"][0] == pytest.approx(98.0, abs=0.05)
        assert score[f"{language}: Dense encoder, GRU"][0] > 90  # 10 for one name alone
