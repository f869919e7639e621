"""Small samples of real prices; README.md beside them names source and licence."""

from pathlib import Path

SAMPLE_REQUEST = (
    "Analyze all the recent market data for the last quarter and provide a detailed report on "
    "trends"
)


def sample_path() -> Path:
    """The file for trying the sample report: daily prices of crude oil, four years of them."""
    return Path(__file__).with_name("oil_daily.csv")
