"""What the analyst says about itself; importing this needs none of its libraries."""

from importlib.util import find_spec

from taskhub_tui.domain.model import AgentCard, StageSpec

NAME = "analyst"
STEPS = ("ingest", "quality", "trends", "risk", "report")
DEFAULT_MAX_MB = 200
_LIBRARIES = ("polars", "matplotlib", "plotext")

OPTIONS = {
    "file": "the prices: .csv, .tsv, .csv.gz or .parquet; relative to the working folder",
    "period": (
        "what to report on: 'last quarter' (the default: the last complete one in the data), "
        "'this quarter', 'month', 'year', '90d', '2024Q1', '2024-03', '2024' "
        "or two dates '2024-01-01..2024-03-31'"
    ),
    "holes": (
        "what to do when missing prices change the answer: 'ask' (the default), 'drop' those "
        "dates, 'carry' the last price forward, 'leave' the instrument out, 'keep' as it is"
    ),
    "column": "the column of prices in a file that has one row per date and instrument",
    "max_mb": f"largest file that is read, in MB, also after unpacking; {DEFAULT_MAX_MB} if unset",
}


def missing_libraries() -> str | None:
    """A sentence with the remedy when a library is not installed, else None."""
    gone = [name for name in _LIBRARIES if find_spec(name) is None]
    if not gone:
        return None
    verb = "is" if len(gone) == 1 else "are"
    return (
        f"{' and '.join(gone)} {verb} not installed. "
        "Install them with: pip install 'taskhub-tui[analyst]'"
    )


def make_card() -> AgentCard:
    """The card, with `problem` as things stand now."""
    weights = {"ingest": 3.0, "quality": 1.5, "trends": 1.5, "risk": 1.5, "report": 3.0}
    return AgentCard(
        name=NAME,
        title="Financial Analyst",
        description=(
            "Reads a file of prices you own and writes a report on its trends and risk: returns, "
            "moving averages, volatility, drawdown, correlation, quarter against quarter."
        ),
        capabilities=frozenset({"analysis", "report", "charts"}),
        keywords=(
            "market",
            "market data",
            "price",
            "prices",
            "quarter",
            "quarterly",
            "returns",
            "volatility",
            "drawdown",
            "correlation",
            "moving average",
            "trend",
            "trends",
            "report on trends",
            "stock",
            "stocks",
            "fund",
            "portfolio",
            "exchange rate",
            "commodity",
            "financial",
            "finance",
            "analyze",
            "analyse",
            "analysis",
            "csv",
        ),
        stages=tuple(
            StageSpec(name=step, agent=NAME, weight=weights[step], on_interrupt="rerun")
            for step in STEPS
        ),
        options=OPTIONS,
        on_interrupt="rerun",
        problem=missing_libraries(),
    )
