"""Which column is what, by the meaning of its name and its content, never by its position."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


DATE_WORDS = _set(
    "date dates time day datetime timestamp period month week datum fecha dt asof quarter"
)
SYMBOL_WORDS = _set(
    "symbol ticker tickers instrument instruments name asset security isin cusip sedol ric series "
    "stock fund commodity currency pair code product contract market country company"
)
_CERTAIN_SYMBOL = _set("symbol ticker isin cusip sedol ric instrument")

# Best first: what a price column is called. Adjusted prices know dividends and splits.
_PRICES: tuple[frozenset[str], ...] = tuple(
    frozenset(words.split())
    for words in (
        "adj close",
        "adjusted close",
        "adjclose",
        "close adj",
        "close",
        "closing",
        "settle",
        "settlement",
        "last",
        "price",
        "value",
        "nav",
        "mid",
        "rate",
        "obs value",
        "open",
    )
)
_STRONG = 9  # up to `price`; the names after it can also be those of instruments
_FIELDS = _set(
    "open high low close adjclose bid ask mid last settle settlement adj adjusted price volume "
    "vol turnover dividends splits"
)
# A column whose name consists of these words only, one of the first set among them, is no
# instrument.
_OTHER = _set(
    "volume vol turnover shares dividend dividends split splits chg change pct percent return "
    "returns ret index idx id row count trades transactions interest openinterest cap "
    "capitalization marketcap year month day week weekday hour unnamed line high low bid ask size "
    "vwap average avg quantity qty ratio flag status %"
)
_BESIDE = _set(
    "stock open net in of usd eur gbp total market traded deliverable factor weight no nr number "
    "price daily weekly monthly"
)
_CURRENCIES = _set("usd eur gbp jpy chf cny")
_WORDS = re.compile(r"[^\W\d_]+|%")
_ALSO = {
    "volumen": "volume",
    "umsatz": "volume",
    "volumes": "volume",
    "kurs": "price",
    "preis": "price",
    "precio": "price",
    "prix": "price",
    "cours": "price",
    "schluss": "close",
    "schlusskurs": "close",
    "cierre": "close",
    "clôture": "close",
    "eröffnung": "open",
    "hoch": "high",
    "tief": "low",
}
"""What banks of other countries write."""


class NoPrices(Exception):
    """The columns hold no prices; the message says what is there and what is needed."""


@dataclass(frozen=True)
class Roles:
    """What each column is for; columns are named by position in the file."""

    date: int
    symbol: int | None
    """None: one column for each instrument."""
    prices: Mapping[int, str]
    """Columns of prices and the instrument each belongs to ('' when `symbol` tells)."""
    left_out: Sequence[tuple[str, str]] = field(default=())
    """Columns that are not used, and why."""


def words(header: str) -> list[str]:
    """The words of a column name: `Adj_Close*` gives adj, close."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)
    return [_ALSO.get(word, word) for word in _WORDS.findall(spaced.lower())]


def is_date_name(header: str) -> bool:
    """True when the name speaks of a time."""
    return bool(DATE_WORDS & set(words(header)))


def price_rank(header: str) -> int | None:
    """Place of this name among the names of prices, 0 the best; None when it is no such name."""
    found = set(words(header)) - {"usd", "eur", "in", "of", "px", "latest"}
    if "volume" in found or "%" in found or "change" in found:
        return None
    if found == {"close", "last"}:
        return 4
    for rank, wanted in enumerate(_PRICES):
        if wanted <= found and found <= wanted | {"price", "prices", "value"}:
            return rank
    return None


def choose(
    header: Sequence[str],
    dates: Sequence[float],
    numeric: Sequence[float],
    distinct: Sequence[float],
    stem: str,
    wanted: str | None = None,
) -> Roles:
    """Say which columns hold dates, instruments and prices.

    Args:
        dates: for each column the share of cells that are dates.
        numeric: for each column the share of cells that are numbers; -1 when it is empty.
        distinct: for each column the share of rows that show a value for the first time.
        stem: name for the instrument when the file does not name it.
        wanted: the name of the price column, when a person said so.

    Raises:
        NoPrices: it cannot be said.
    """
    date = _date(header, dates)
    left: list[tuple[str, str]] = []
    symbol = _symbol(header, date, numeric, distinct)
    numbers = [i for i, share in enumerate(numeric) if i not in (date, symbol) and share >= 0.8]
    if wanted:
        return _as_wanted(header, date, symbol, numbers, wanted, stem)
    for i, name in enumerate(header):
        if i not in numbers and i not in (date, symbol):
            left.append((name, "it is empty" if numeric[i] < 0 else "it holds no numbers"))
    if not numbers:
        listed = ", ".join(repr(name[:40]) for name in header[:12])
        raise NoPrices(
            f"no column of numbers is among its columns ({listed}). At least one column of "
            "prices is needed beside the dates"
        )
    if symbol is not None:
        price = _one_price(header, numbers)
        left += [(header[i], "another column is the price") for i in numbers if i != price]
        return Roles(date, symbol, {price: ""}, tuple(left))
    prices = _wide(header, numbers, stem, left)
    if not prices:
        listed = ", ".join(repr(header[i][:40]) for i in numbers[:12])
        raise NoPrices(
            f"its columns of numbers ({listed}) are no prices by their names. Name the price "
            "column Close or Price, or name it with the option column"
        )
    return Roles(date, None, prices, tuple(left))


def _date(header: Sequence[str], dates: Sequence[float]) -> int:
    scored = [
        (share + (0.3 if is_date_name(header[i]) else 0), -i) for i, share in enumerate(dates)
    ]
    best, position = max(scored, default=(0.0, 0))
    if best < 0.8 or dates[-position] < 0.5:
        listed = ", ".join(repr(name[:40]) for name in header[:12])
        raise NoPrices(
            f"no column of dates is among its columns ({listed}). A column with dates such as "
            "2024-01-31 is needed"
        )
    return -position


def _symbol(
    header: Sequence[str], date: int, numeric: Sequence[float], distinct: Sequence[float]
) -> int | None:
    if distinct[date] > 0.999 and not any(
        set(words(h)) & _CERTAIN_SYMBOL and numeric[i] >= 0 for i, h in enumerate(header)
    ):
        return None  # each date once: one row holds all instruments
    texts = [i for i in range(len(header)) if i != date and 0 <= numeric[i] < 0.5]
    certain = [
        i
        for i, name in enumerate(header)
        if i != date and numeric[i] >= 0 and set(words(name)) & _CERTAIN_SYMBOL
    ]
    named = [i for i in texts if set(words(header[i])) & SYMBOL_WORDS]
    for group in (certain, named, texts):
        if group:
            return min(group, key=lambda i: (distinct[i] > 0.9, i))
    return None


def _as_wanted(
    header: Sequence[str],
    date: int,
    symbol: int | None,
    numbers: Sequence[int],
    wanted: str,
    stem: str,
) -> Roles:
    folded = wanted.strip().casefold()
    hits = [i for i in numbers if header[i].strip().casefold() == folded]
    if not hits:
        listed = ", ".join(repr(header[i][:40]) for i in numbers[:12]) or "none"
        raise NoPrices(
            f"there is no column of numbers named {wanted[:40]!r}; the columns of numbers are: "
            f"{listed}"
        )
    left = tuple(
        (name, "another column was asked for")
        for i, name in enumerate(header)
        if i not in (date, symbol, hits[0])
    )
    return Roles(date, symbol, {hits[0]: "" if symbol is not None else stem}, left)


def _one_price(header: Sequence[str], numbers: Sequence[int]) -> int:
    ranked = sorted((rank, i) for i in numbers if (rank := price_rank(header[i])) is not None)
    if ranked:
        return ranked[0][1]
    rest = [i for i in numbers if not _is_other(header[i])]
    if len(rest) == 1:
        return rest[0]
    listed = ", ".join(repr(header[i][:40]) for i in (rest or numbers)[:12])
    raise NoPrices(
        f"it cannot be told which column is the price: {listed}. Name it Close or Price, or name "
        "it with the option column"
    )


def _is_other(header: str) -> bool:
    found = words(header)
    if not found:
        return not header.strip()  # an unnamed column, such as the row numbers pandas writes
    if found[-1] in ("volume", "vol", "turnover"):
        return True
    return bool(set(found) & _OTHER) and set(found) <= _OTHER | _BESIDE


def _wide(
    header: Sequence[str], numbers: Sequence[int], stem: str, left: list[tuple[str, str]]
) -> dict[int, str]:
    """One column for each instrument, or open, high, low and close of one or of several."""
    by_rest: dict[str, list[int]] = defaultdict(list)
    for i in numbers:
        by_rest[_rest(header[i])].append(i)
    bare = by_rest.pop("", [])
    ranked = sorted((rank, i) for i in bare if (rank := price_rank(header[i])) is not None)
    if ranked and (not by_rest or ranked[0][0] <= _STRONG):
        best = ranked[0][1]
        left += [(header[i], "another column is the price") for i in numbers if i != best]
        return {best: stem}
    prices: dict[int, str] = {}
    for i in bare:
        if price_rank(header[i]) is not None:
            prices[i] = header[i].strip()
        elif len(numbers) == 1 and set(words(header[i])) <= {"index", "average", "avg", "vwap"}:
            prices[i] = stem
        else:
            left.append((header[i], "its name says that it is no price"))
    for rest, group in by_rest.items():
        plain = [i for i in group if not _field(header[i])]
        fields = sorted(
            (rank, i) for i in group if (rank := price_rank(_field(header[i]))) is not None
        )
        if len(group) == 1 and group[0] not in plain and not fields:
            left.append((header[group[0]], "its name says that it is no price"))
        elif len(group) == 1:
            prices[group[0]] = header[group[0]].strip()
        elif len(plain) > 1:  # the same name twice: both are kept, numbered later
            prices.update((i, header[i].strip()) for i in plain)
        elif plain or fields:
            best = plain[0] if plain else fields[0][1]
            alone = rest.lower() in _CURRENCIES and len(by_rest) == 1 and not plain
            prices[best] = stem if alone else rest
            left += [(header[i], f"not the price of {rest}") for i in group if i != best]
    return prices


def _parts(header: str) -> list[str]:
    return re.findall(r"[^\s_()',.:/|*]+", header)


def _plain(part: str) -> str:
    return _ALSO.get(part.lower(), part.lower())


def _rest(header: str) -> str:
    """The name without words for a field: `AAPL Close` gives AAPL, `4. close` gives ''."""
    kept = [part for part in _parts(header) if _plain(part) not in _FIELDS]
    if not kept or price_rank(header) is not None or _is_other(" ".join(kept)):
        return " ".join(part for part in kept if part.lower() in _CURRENCIES)
    return " ".join(kept)


def _field(header: str) -> str:
    return " ".join(part for part in _parts(header) if _plain(part) in _FIELDS)
