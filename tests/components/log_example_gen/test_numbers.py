from __future__ import annotations

import random

import polars as pl
import pytest
from pydantic import ValidationError

from tandem.components.log_example_gen.numbers import Notation, notation_of, number, plain, settings_for
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.weights import check_weights


def read(notation: Notation, *texts: str) -> list[float | None]:
    return pl.DataFrame({"x": texts}).select(number(pl.col("x"), notation)).to_series().to_list()


COMMA, GROUPS, SIGNS = Notation(decimal=","), Notation(thousands=","), Notation(strip="$€%")


@pytest.mark.parametrize(
    ("notation", "texts", "values"),
    [
        (Notation(), ["1.5", " 2 ", "1e3", "-0.5"], [1.5, 2, 1000, -0.5]),
        (Notation(), ["", "1,5", "nan", "inf"], [None] * 4),
        (COMMA, ["1,5", "2", ",5", "5,", "-1,5e2"], [1.5, 2, 0.5, 5, -150]),
        (COMMA, ["1.5", ",", ""], [None] * 3),
        (GROUPS, ["1,234", "1,234,567.5", "1234"], [1234, 1234567.5, 1234]),
        (GROUPS, ["12,34", "1,2345", ",123"], [None] * 3),
        (Notation(decimal=",", thousands="."), ["1.234,5", "1.234", "1.5"], [1234.5, 1234, None]),
        (Notation(thousands=" "), ["1 234", " 12 345.5 "], [1234, 12345.5]),
        (SIGNS, ["$12", "5 €", "12%", "-$3", "$-3"], [12, 5, 12, -3, -3]),
        (SIGNS, ["--3", "$", "12$3"], [None] * 3),
        (Notation(decimal=",", strip="€"), ["€ 1,5"], [1.5]),
    ],
)
def test_numbers_by_hand(notation: Notation, texts: list[str], values: list[float | None]) -> None:
    assert read(notation, *texts) == values


@pytest.mark.parametrize(("decimal", "thousands"), [(",", "."), (".", ","), (",", " "), (".", "'")])
def test_what_python_formats_is_read_back(decimal: str, thousands: str) -> None:
    chance = random.Random(0)
    numbers = [round(chance.uniform(-1, 1) * 10 ** chance.randrange(10), chance.randrange(5)) for _ in range(500)]
    swapped = str.maketrans({",": thousands, ".": decimal})
    texts = [f"{value:,}".translate(swapped) for value in numbers]
    assert read(Notation(decimal, thousands), *texts) == numbers


def test_whole_numbers_stay_exact() -> None:
    texts = pl.DataFrame({"x": ["9.007.199.254.740.993"]})
    assert texts.select(plain(pl.col("x"), Notation(",", "."))).item() == "9007199254740993"


@pytest.mark.parametrize(
    ("values", "settings"),
    [
        (["1,234", "5,678"], "thousands: ','"),
        (["1,5", "2"], "decimal: ','"),
        (["1.234,5", "2"], "decimal: ',', thousands: '.'"),
        (["$1000"], "strip: '$'"),
        (["12%", "$5"], "strip: '$%'"),
        (["many", "1,5"], ""),
        ([], ""),
    ],
)
def test_settings_that_read_what_could_not_be_read(values: list[str], settings: str) -> None:
    assert settings_for(values) == settings


def test_weights_are_read_alike() -> None:
    sound, unsound = check_weights(pl.DataFrame({"w": ["1,5", "1.5"]}), ["w"], Notation(decimal=","))
    assert sound.get_column("w").to_list() == ["1,5"]
    assert unsound.get_column("w").to_list() == ["1.5"]


def test_settings_of_files() -> None:
    files = Files.model_validate({"files": "a.csv", "decimal": ",", "thousands": ".", "strip": "$"})
    assert notation_of(files) == Notation(",", ".", "$")
    with pytest.raises(ValidationError, match=r"'decimal' and 'thousands' are both '\.'"):
        Files.model_validate({"files": "a.csv", "thousands": "."})
    with pytest.raises(ValidationError, match="decimal"):
        Files.model_validate({"files": "a.csv", "decimal": "1"})
