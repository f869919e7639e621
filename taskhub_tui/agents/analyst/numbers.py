"""Numbers as people write them: which sign is the decimal one, and the cells as floats."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

Decimal = Literal[".", ","]

_MISSING = (
    "|.|..|-|--|—|–|na|n/a|#n/a|#na|n.a.|nan|null|none|nil|nd|n.d.|missing|#value!|#ref!|#div/0!"
    "|\\n|?|*|x"
)
MISSING = frozenset(_MISSING.split("|"))
"""Cells that say `no value`, in lower case."""

# Currency signs and codes around a number, blanks and apostrophes between its thousands.
_DRESS = (
    "(?i)[\\s\u00a0\u202f\u2009'’_$€£¥₹₽₩₿+]|usd|eur|gbp|chf|jpy|cny|inr|aud|cad|sek|nok|dkk|"
    r"\bkr\.?|zł|r\$"
)
_PLAIN = r"^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_DOT = re.compile(r"^-?\d{1,3}(,\d{3})+\.\d+$|^-?\d*\.\d{1,2}$|^-?\d*\.\d{4,}$|^-?\d{4,}\.\d+$")
_COMMA = re.compile(r"^-?\d{1,3}(\.\d{3})+,\d+$|^-?\d*,\d{1,2}$|^-?\d*,\d{4,}$|^-?\d{4,},\d+$")
_GROUPS_COMMA = re.compile(r"^-?\d{1,3}(,\d{3}){2,}$")
_GROUPS_DOT = re.compile(r"^-?\d{1,3}(\.\d{3}){2,}$")
_ONE_COMMA = re.compile(r"^-?0,\d{3}$")
_ONE_DOT = re.compile(r"^-?0\.\d{3}$")
_UNDRESS = re.compile(_DRESS)


def decimal_of(cells: Iterable[str], separator: str) -> Decimal:
    """Tell the decimal sign from numbers; where none tells, a comma-cut file has points."""
    dots = commas = lone = 0
    for cell in cells:
        bare = _UNDRESS.sub("", cell.strip()).strip("()%")
        if _DOT.match(bare) or _GROUPS_COMMA.match(bare) or _ONE_DOT.match(bare):
            dots += 1
        elif _COMMA.match(bare) or _GROUPS_DOT.match(bare) or _ONE_COMMA.match(bare):
            commas += 1
        elif "," in bare:
            lone += 1
    if dots == commas == 0 and lone:
        # 1,234 alone: thousands where a comma-cut file had to quote it, else a decimal comma.
        return "." if separator == "," else ","
    return "," if commas > dots else "."


def is_number(cell: str, decimal: Decimal) -> bool:
    """True for a cell that `as_float` reads."""
    bare = _UNDRESS.sub("", cell.strip()).replace("−", "-")
    if bare.startswith("(") and bare.endswith(")"):
        bare = "-" + bare[1:-1]
    if decimal == ",":
        bare = bare.replace(".", "").replace(",", ".")
    else:
        bare = bare.replace(",", "")
    return bool(re.match(_PLAIN, bare))


def is_missing(cell: str) -> bool:
    """True for a cell that says `no value`."""
    return cell.strip().lower() in MISSING


def as_float(name: str, decimal: Decimal) -> "pl.Expr":
    """Expression that reads a column of text; a cell that is no finite number becomes null."""
    import polars as pl

    bare = pl.col(name).str.strip_chars()
    bare = bare.str.replace_all(_DRESS, "").str.replace_all("−", "-", literal=True)
    bare = bare.str.replace(r"^\((.*)\)$", "-${1}")
    if decimal == ",":
        bare = bare.str.replace_all(".", "", literal=True).str.replace_all(",", ".", literal=True)
    else:
        bare = bare.str.replace_all(",", "", literal=True)
    number = bare.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number).otherwise(None)
