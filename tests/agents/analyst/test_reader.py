"""The reader: the same prices in any layout and writing give the same table."""

import gzip
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskhub_tui.agents.analyst import dates, numbers
from taskhub_tui.agents.analyst.reader import Read, read

TODAY = date(2026, 6, 1)


def read_text(folder: Path, text: str, name: str = "p.csv", **options: object) -> Read:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read(path, folder / "scratch", 10, TODAY, **options)  # type: ignore[arg-type]


def cells(found: Read) -> dict[tuple[str, date], float]:
    return {(found.names[i], day): price for i, day, price in found.prices.rows()}


WRITERS = {
    "iso": "%Y-%m-%d",
    "slashes": "%Y/%m/%d",
    "european": "%d/%m/%Y",
    "american": "%m/%d/%Y",
    "german": "%d.%m.%Y",
    "compact": "%Y%m%d",
    "words": "%d %b %Y",
    "american words": "%b %d, %Y",
    "with time": "%Y-%m-%d 16:00:00",
    "zoned": "%Y-%m-%dT00:00:00Z",
}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_what_is_written_in_any_form_is_read_back(tmp_path: Path, data: st.DataObject) -> None:
    names = data.draw(st.sampled_from([["Gold"], ["Gold", "Tin"], ["S&P 500", "Gold", "7203"]]))
    start = data.draw(st.dates(date(1990, 1, 1), date(2024, 1, 1)))
    days = [start + timedelta(days=n) for n in range(40)]
    price = st.one_of(st.none(), st.integers(-5_000_000, 900_000_000).map(lambda n: n / 100))
    table = {day: [data.draw(price) for _ in names] for day in days}
    table[days[0]] = [1234.56 for _ in names]
    form = data.draw(st.sampled_from(list(WRITERS)))
    separator = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    comma = data.draw(st.booleans()) and separator != ","
    grouped = data.draw(st.booleans())
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    packed = data.draw(st.booleans())
    missing = data.draw(st.sampled_from(["", ".", "NA", "null", "-", "N/A"]))
    long = len(names) > 1 and data.draw(st.booleans())
    newline = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    currency = data.draw(st.sampled_from(["", "$", "£"]))

    def number(value: float | None) -> str:
        if value is None:
            return missing
        text = f"{value:,.2f}" if grouped else f"{value:.2f}"
        if comma:
            text = text.translate(str.maketrans(",.", ".,"))
        text = currency + text
        return f'"{text}"' if separator in text else text

    def day_text(day: date) -> str:
        text = day.strftime(WRITERS[form])
        return f'"{text}"' if separator in text else text

    if long:
        lines = [separator.join(["Ticker", "Volume", "Close", "Date"])]
        lines += [
            separator.join([name, "1000", number(table[day][i]), day_text(day)])
            for i, name in enumerate(names)
            for day in days
        ]
    else:
        lines = [separator.join([*names, "Date"])]
        lines += [separator.join([*(number(v) for v in table[day]), day_text(day)]) for day in days]
    raw = (newline.join(lines) + newline).encode(encoding)
    path = tmp_path / ("p.csv.gz" if packed else "p.csv")
    path.write_bytes(gzip.compress(raw) if packed else raw)
    found = read(path, tmp_path / "scratch", 10, TODAY)
    expected = {
        (name, day): table[day][i]
        for i, name in enumerate(names)
        for day in days
        if table[day][i] is not None
    }
    assert cells(found) == pytest.approx(expected)
    assert not (tmp_path / "scratch").exists()


def test_parquet_gives_the_same_table_as_text(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(30)]
    frame = pl.DataFrame({"when": days, "Gold": [float(n) + 1 for n in range(30)], "volume": 7})
    frame = frame.rename({"when": "timestamp"})
    frame.write_parquet(tmp_path / "p.parquet")
    frame.write_csv(tmp_path / "p.csv")
    a = read(tmp_path / "p.parquet", tmp_path / "s", 10, TODAY)
    b = read(tmp_path / "p.csv", tmp_path / "s", 10, TODAY)
    assert cells(a) == cells(b)
    assert a.names == ["Gold"]
    assert len(cells(a)) == 30


@pytest.mark.parametrize(
    ("header", "row", "names", "value"),
    [
        ("Date,Open,High,Low,Close,Adj Close,Volume", "1,2,3,4,5,6", ["p"], 5.0),
        ("Date,Close/Last,Volume,Open,High,Low", "$4.5,100,3,5,2", ["p"], 4.5),
        ("Date,Price,Open,High,Low,Vol.,Change %", "7,6,8,5,1.2M,0.3%", ["p"], 7.0),
        ("timestamp,1. open,2. high,3. low,4. close,5. volume", "1,2,3,4,9", ["p"], 4.0),
        ("observation_date,DCOILWTICO", "70.1", ["DCOILWTICO"], 70.1),
        ("Datum,Eröffnung,Hoch,Tief,Schlusskurs,Volumen", "1,2,3,4,5", ["p"], 4.0),
        (",Date,A,B", None, ["A", "B"], 2.0),
        ("Date,USD,GBP,JPY", "1,2,3", ["USD", "GBP", "JPY"], 1.0),
        ("Date,AAPL Close,AAPL Volume,MSFT Close,MSFT Volume", "1,9,2,9", ["AAPL", "MSFT"], 1.0),
        (
            "Date,Climate Change ETF,US Open Value",
            "1,2",
            ["Climate Change ETF", "US Open Value"],
            1.0,
        ),
    ],
)
def test_columns_are_found_by_meaning(
    tmp_path: Path, header: str, row: str | None, names: list[str], value: float
) -> None:
    lines = [header]
    for n in range(1, 29):
        day = f"2024-02-{n:02d}"
        lines.append(f"{n},{day},2,3" if row is None else f"{day},{row}")
    found = read_text(tmp_path, "\n".join(lines))
    assert found.names == names
    assert found.prices["price"][0] == value


def test_two_header_lines_as_pivot_tables_write_them_are_joined(tmp_path: Path) -> None:
    rows = [f"2024-01-{n:02d},{n},{n + 1},5,6" for n in range(1, 20)]
    head = ["Price,Close,Close,Volume,Volume", "Ticker,AAPL,MSFT,AAPL,MSFT", "Date,,,,"]
    found = read_text(tmp_path, "\n".join([*head, *rows]))
    assert found.names == ["AAPL", "MSFT"]


def test_lines_before_the_header_and_after_the_data_do_no_harm(tmp_path: Path) -> None:
    rows = [f"2024-01-{n:02d},{n}" for n in range(1, 31)]
    text = "\n".join(["Prices of gold", "", "Date,Gold", *rows, "Source: the mint"])
    found = read_text(tmp_path, text)
    assert len(cells(found)) == 30
    assert found.facts["undated"]["examples"] == [[34, "Source: the mint"]]


def test_months_stand_for_their_last_day(tmp_path: Path) -> None:
    text = "month,price\nJan 2020,1\nFeb 2020,2\nMar 2020,3\n"
    assert [d for _, d in cells(read_text(tmp_path, text))] == [
        date(2020, 1, 31),
        date(2020, 2, 29),
        date(2020, 3, 31),
    ]
    text = "period,price\n202001,1\n202002,2\n202003,3\n"
    assert max(d for _, d in cells(read_text(tmp_path, text))) == date(2020, 3, 31)


def test_trouble_in_the_rows_is_counted_with_its_lines(tmp_path: Path) -> None:
    rows = [f"2024-01-{n:02d},{n}" for n in range(1, 21)]
    rows += ["2024-01-05,99", "2030-01-01,5", "2024-01-30,oops", "2024-01-31,"]
    found = read_text(tmp_path, "\n".join(["Date,Gold", *rows]))
    facts = found.facts
    assert facts["duplicates"] == {
        "count": 1,
        "different": 1,
        "examples": [[0, "2024-01-05", 6]],
    }
    assert cells(found)["Gold", date(2024, 1, 5)] == 99
    assert facts["future"] == {"count": 1, "last": "2030-01-01", "line": 23}
    assert facts["unreadable"] == {"count": 1, "examples": [[24, "Gold", "oops"]]}
    assert facts["missing_cells"] == 1
    assert facts["order"] == "unsorted"


def test_of_several_prices_a_day_the_last_by_the_clock_counts(tmp_path: Path) -> None:
    rows = [f"2024-01-{n:02d} {h}:00,{n}{h}" for n in range(10, 20) for h in (17, 9, 12)]
    found = read_text(tmp_path, "\n".join(["Time,Gold", *rows]))
    assert cells(found)["Gold", date(2024, 1, 10)] == 1017
    assert found.facts["intraday"]
    assert found.facts["duplicates"]["count"] == 0


def test_the_file_itself_settles_day_against_month() -> None:
    assert dates.parse(["03/04/2024", "13/04/2024"], numbers=False).order == "day"
    assert dates.parse(["03/04/2024", "03/14/2024"], numbers=False).order == "month"
    monthly = [f"01/{m:02d}/{y}" for y in (2020, 2021, 2022) for m in range(1, 13)]
    assert dates.parse(monthly, numbers=False).order == "day"
    with pytest.raises(dates.Ambiguous, match="03/04/2024"):
        dates.parse(["03/04/2024", "05/04/2024"], numbers=False)


@pytest.mark.parametrize(
    ("cells", "separator", "sign"),
    [
        (["1.234,50", "0,5"], ";", ","),
        (["1,234.50"], ",", "."),
        (["1,234", "2,345"], ",", "."),
        (["1,234", "2,345"], ";", ","),
        (["1 234,5"], ";", ","),
        (["1'234.5"], ";", "."),
        (["1,234,567"], ";", "."),
        (["12"], ";", "."),
    ],
)
def test_the_decimal_sign_is_told_from_the_numbers(
    cells: list[str], separator: str, sign: str
) -> None:
    assert numbers.decimal_of(cells, separator) == sign
