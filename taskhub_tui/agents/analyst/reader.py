"""A file of prices, whatever its layout, as one tidy table: instrument, date, price."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from taskhub_tui.agents.analyst import columns, dates, numbers, sniff
from taskhub_tui.agents.analyst.work import Facts
from taskhub_tui.agents.port import AgentError
from taskhub_tui.text import one_line

if TYPE_CHECKING:
    import polars as pl

MAX_INSTRUMENTS = 1000
MAX_CELLS = 60_000_000
_SHOWN = 10  # examples kept of each sort of trouble


@dataclass(frozen=True)
class Read:
    """What came out of the file."""

    prices: "pl.DataFrame"
    """Columns i (position in `names`), date, price; sorted, each pair of i and date once."""
    names: list[str]
    facts: Facts


@dataclass(frozen=True)
class _Table:
    """Cells as text, with what is known of their columns."""

    frame: "pl.DataFrame"
    """Columns c0, c1, … in the order of `roles`; parsed only where needed."""
    header: Sequence[str]
    roles: columns.Roles
    decimal: numbers.Decimal
    first_line: int


def read(
    path: Path,
    scratch: Path,
    max_mb: float,
    today: date,
    *,
    order: dates.Order | None = None,
    column: str | None = None,
    check: Callable[[], None] = lambda: None,
) -> Read:
    """Read a file of prices.

    Args:
        scratch: place for an unpacked copy; removed again.
        today: what is dated later cannot be a price yet and is left out.
        order: settles day against month first.
        column: name of the price column, where a person gave it.

    Raises:
        AgentError: the file cannot be used; says what, where and what to do.
        dates.Ambiguous: the dates can be read in two ways.
    """
    import polars as pl

    shown = one_line(path.name)
    try:
        source = sniff.examine(path, scratch, max_mb, check)
        if source.kind == "parquet":
            table = _parquet(path, shown, column)
            separator = ""
        else:
            plan = sniff.layout(source, shown)
            table = _text(source.readable, plan, shown, path, column)
            separator = plan.separator
    except columns.NoPrices as problem:
        raise AgentError(f"{shown} cannot be used: {problem}.") from problem
    finally:
        scratch.unlink(missing_ok=True)
    check()
    facts: Facts = {
        "name": path.name,
        "path": str(path),
        "sha256": source.sha256,
        "encoding": source.encoding,
        "separator": separator,
        "decimal": table.decimal,
        "rows": table.frame.height,
        "date_column": table.header[table.roles.date],
        "left_out": [[one_line(name, 60), why] for name, why in table.roles.left_out][:200],
    }
    dated = _with_dates(table, order, shown, facts)
    check()
    tidy, names = _tidy(dated, table, shown, facts)
    check()
    prices = _one_each(tidy, facts, today)
    if prices.is_empty():
        raise AgentError(
            f"{shown}: no row has both a date that is not in the future and a price. "
            "Check the columns of dates and prices."
        )
    used = prices["i"].unique().sort().to_list()
    facts["empty"] = [name for i, name in enumerate(names) if i not in set(used)][:200]
    renumbered = pl.DataFrame(
        {"i": used, "j": range(len(used))}, schema={"i": pl.UInt32, "j": pl.UInt32}
    )
    prices = prices.join(renumbered, on="i").select(pl.col("j").alias("i"), "date", "price")
    prices = prices.sort("i", "date")
    facts["instruments"] = len(used)
    facts["prices"] = prices.height
    facts["first"], facts["last"] = str(prices["date"].min()), str(prices["date"].max())
    return Read(prices, [names[i] for i in used], facts)


def _text(readable: Path, plan: sniff.Layout, shown: str, path: Path, column: str | None) -> _Table:
    width = len(plan.header)
    sample = [row + [""] * (width - len(row)) for row in plan.sample]
    cells = [[row[i] for row in sample] for i in range(width)]
    decimal = numbers.decimal_of(
        (c for col in cells for c in col if any(ch in c for ch in ",.")), plan.separator
    )
    roles = _roles(plan.header, cells, decimal, _stem(path), column)
    wanted = _wanted(roles)
    import polars as pl

    try:
        frame = pl.read_csv(
            readable,
            has_header=False,
            skip_lines=plan.first_line - 1,
            separator=plan.separator,
            columns=wanted,
            schema={f"c{i}": pl.String for i in range(_widest(plan, width))},
            truncate_ragged_lines=True,
        )
    except pl.exceptions.PolarsError as error:
        raise AgentError(
            f"{shown} cannot be cut into columns: {one_line(str(error), 200)} "
            "Look for a quotation mark that is not closed, and export the file again."
        ) from error
    return _Table(frame, plan.header, roles, decimal, plan.first_line)


def _widest(plan: sniff.Layout, width: int) -> int:
    return max(width, *(len(row) for row in plan.sample))


def _parquet(path: Path, shown: str, column: str | None) -> _Table:
    import polars as pl

    try:
        lazy = pl.scan_parquet(path)
        header = lazy.collect_schema().names()
        rows = int(lazy.select(pl.len()).collect().item())
        if not header or not rows:
            raise AgentError(f"{shown} has no rows. Export the prices again, then retry.")
        head = lazy.head(400).collect()
        texts = head.select(pl.all().cast(pl.String, strict=False)).fill_null("")
        roles = _roles(header, [texts[n].to_list() for n in header], ".", _stem(path), column)
        wanted = _wanted(roles)
        if rows * len(wanted) > MAX_CELLS:
            raise AgentError(
                f"{shown} holds {rows:,} rows in {len(wanted)} columns, more than the "
                f"{MAX_CELLS:,} cells that are read at most. Cut it to what you need."
            )
        frame = lazy.select(
            pl.col(header[i]).cast(pl.String, strict=False).alias(f"c{i}") for i in wanted
        ).collect()
    except pl.exceptions.PolarsError as error:
        raise AgentError(
            f"{shown} is damaged or holds nested columns: {one_line(str(error), 200)} "
            "Export it again, as CSV if that fails."
        ) from error
    return _Table(frame, header, roles, ".", 1)


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (".gz", ".csv", ".tsv", ".parquet", ".txt"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    return name


def _wanted(roles: columns.Roles) -> list[int]:
    extra = [roles.symbol] if roles.symbol is not None else []
    return sorted({roles.date, *extra, *roles.prices})


def _roles(
    header: Sequence[str],
    cells: Sequence[Sequence[str]],
    decimal: numbers.Decimal,
    stem: str,
    column: str | None,
) -> columns.Roles:
    """Measure the columns of the sample and choose."""
    date_share: list[float] = []
    number_share: list[float] = []
    distinct: list[float] = []
    for name, column_cells in zip(header, cells, strict=True):
        filled = [c.strip() for c in column_cells if not numbers.is_missing(c)]
        n = len(filled)
        bare = [dates.split_time(c)[0] for c in filled]
        found = dates.parse(bare, numbers=columns.is_date_name(name), order="day").days
        other = dates.parse(bare, numbers=columns.is_date_name(name), order="month").days
        dated = sum(1 for a, b in zip(found, other, strict=True) if a or b)
        date_share.append(dated / n if n else 0.0)
        digits = sum(numbers.is_number(c, decimal) for c in filled)
        number_share.append(digits / n if n else -1.0)
        distinct.append(len(set(filled)) / n if n else 0.0)
    return columns.choose(header, date_share, number_share, distinct, stem, column)


def _with_dates(
    table: _Table, order: dates.Order | None, shown: str, facts: Facts
) -> "pl.DataFrame":
    """The table with `date`, the time of day as `clock`, and the line; undated rows go."""
    import polars as pl

    raw = f"c{table.roles.date}"
    name = table.header[table.roles.date]
    frame = table.frame.with_row_index("line", offset=table.first_line)
    frame = frame.with_columns(pl.col(raw).fill_null("").str.strip_chars())
    texts = frame[raw].unique(maintain_order=True).to_list()
    split = [dates.split_time(text) for text in texts]
    bare = list(dict.fromkeys(text for text, _ in split))
    parsed = dates.parse(bare, numbers=columns.is_date_name(name), order=order)
    known = dict(zip(bare, parsed.days, strict=True))
    facts["date_order"] = parsed.order
    facts["date_order_by"] = parsed.how
    lookup = pl.DataFrame(
        {
            raw: texts,
            "date": [known[text] for text, _ in split],
            "clock": [clock for _, clock in split],
        },
        schema={raw: pl.String, "date": pl.Date, "clock": pl.String},
    )
    frame = frame.join(lookup, on=raw, how="left", maintain_order="left")
    undated = frame.filter(pl.col("date").is_null() & (pl.col(raw) != ""))
    blank = frame.filter(pl.col(raw) == "").height
    facts["undated"] = {
        "count": undated.height,
        "blank": blank,
        "examples": [
            [line, one_line(text, 40)]
            for line, text in undated.select("line", raw).head(_SHOWN).iter_rows()
        ],
    }
    if undated.height > 0.1 * frame.height:
        line, text = facts["undated"]["examples"][0]
        raise AgentError(
            f"{shown}, line {line}: {text!r} in column {one_line(name, 60)!r} is no date, and "
            f"{undated.height:,} of {frame.height:,} rows are like that. "
            "Write dates such as 2024-01-31."
        )
    return frame.filter(pl.col("date").is_not_null()).drop(raw)


def _tidy(
    frame: "pl.DataFrame", table: _Table, shown: str, facts: Facts
) -> tuple["pl.DataFrame", list[str]]:
    """One row for each cell of a price: i, date, clock, line, price."""
    import polars as pl

    roles = table.roles
    if roles.symbol is not None:
        (price,) = roles.prices
        key = f"c{roles.symbol}"
        facts["layout"] = "long"
        facts["price_column"] = one_line(table.header[price], 60)
        facts["symbol_column"] = one_line(table.header[roles.symbol], 60)
        frame = frame.with_columns(pl.col(key).fill_null("").str.strip_chars())
        raw_names = frame[key].unique(maintain_order=True).to_list()
        _not_too_many(len(raw_names), shown)
        lookup = pl.DataFrame(
            {key: raw_names, "i": range(len(raw_names))},
            schema={key: pl.String, "i": pl.UInt32},
        )
        frame = frame.join(lookup, on=key, how="left", maintain_order="left")
        frame = frame.rename({f"c{price}": "text"})
        tidy = frame.select("i", "date", "clock", "line", "text")
    else:
        cells = list(roles.prices)
        raw_names = [roles.prices[i] for i in cells]
        facts["layout"] = "wide" if len(cells) > 1 else "single"
        facts["price_column"] = one_line(table.header[cells[0]], 60) if len(cells) == 1 else ""
        _not_too_many(len(cells), shown)
        if frame.height * len(cells) > MAX_CELLS:
            raise AgentError(
                f"{shown} holds {frame.height:,} rows of {len(cells)} prices, more than the "
                f"{MAX_CELLS:,} cells that are read at most. Cut it to what you need."
            )
        tidy = pl.concat(
            frame.select(
                pl.lit(j, pl.UInt32).alias("i"),
                "date",
                "clock",
                "line",
                pl.col(f"c{i}").alias("text"),
            )
            for j, i in enumerate(cells)
        )
    tidy = tidy.with_columns(numbers.as_float("text", table.decimal).alias("price"))
    _cells(tidy, table, raw_names, shown, facts)
    return tidy.drop("text"), _names(raw_names)


def _cells(
    tidy: "pl.DataFrame", table: _Table, raw_names: Sequence[str], shown: str, facts: Facts
) -> None:
    """Count the cells without a price, and those that hold something else."""
    import polars as pl

    empty = tidy.filter(pl.col("price").is_null())
    missing = pl.col("text").is_null() | pl.col("text").str.strip_chars().str.to_lowercase().is_in(
        list(numbers.MISSING)
    )
    odd = empty.filter(~missing)
    facts["missing_cells"] = empty.height - odd.height
    facts["unreadable"] = {
        "count": odd.height,
        "examples": [
            [line, one_line(raw_names[i], 60), one_line(text, 40)]
            for line, i, text in odd.sort("line").select("line", "i", "text").head(_SHOWN).rows()
        ],
    }
    if odd.height > 0.2 * max(tidy.height - facts["missing_cells"], 1):
        line, name, text = facts["unreadable"]["examples"][0]
        raise AgentError(
            f"{shown}, line {line}: {text!r} is no price ({name}), and {odd.height:,} of "
            f"{tidy.height:,} cells are like that. Check the column of prices."
        )


def _one_each(tidy: "pl.DataFrame", facts: Facts, today: date) -> "pl.DataFrame":
    """Sorted, without repeated dates and without the future; what was found goes to `facts`."""
    import polars as pl

    tidy = tidy.filter(pl.col("price").is_not_null())
    future = tidy.filter(pl.col("date") > today)
    facts["future"] = {
        "count": future.height,
        "last": str(future["date"].max()) if future.height else None,
        "line": future["line"].min(),
    }
    tidy = tidy.filter(pl.col("date") <= today)
    steps = tidy.sort("i", "line").select(
        pl.col("date").diff().over("i").dt.total_days().alias("step")
    )["step"]
    up, down = int((steps > 0).sum()), int((steps < 0).sum())
    facts["order"] = "newest first" if down and not up else "unsorted" if down else "oldest first"
    facts["out_of_order"] = down if up >= down else up
    groups = tidy.group_by("i", "date").agg(
        pl.len().alias("n"),
        pl.col("price").n_unique().alias("values"),
        pl.col("clock").n_unique().alias("clocks"),
        pl.col("line").min(),
    )
    twice = groups.filter((pl.col("n") > 1) & (pl.col("clocks") == 1)).sort("line")
    facts["intraday"] = bool((groups["clocks"] > 1).sum())
    facts["duplicates"] = {
        "count": int((twice["n"] - 1).sum()),
        "different": int((twice["values"] > 1).sum()),
        "examples": [
            [i, str(day), line]
            for i, day, line in twice.select("i", "date", "line").head(_SHOWN).rows()
        ],
    }
    return (
        tidy.sort("i", "date", "clock", "line")
        .unique(["i", "date"], keep="last", maintain_order=True)
        .select("i", "date", "price")
    )


def _not_too_many(count: int, shown: str) -> None:
    if count > MAX_INSTRUMENTS:
        raise AgentError(
            f"{shown} holds prices of {count:,} instruments; {MAX_INSTRUMENTS:,} are analysed at "
            "most. Cut it to those you need."
        )


def _names(raw: Sequence[str]) -> list[str]:
    """Names fit for showing, each once."""
    seen: dict[str, int] = {}
    names: list[str] = []
    for text in raw:
        name = one_line(text, 60) or "(no name)"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names
