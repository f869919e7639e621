"""How soon an idle worker does what is asked of it."""

from collections.abc import Iterator

from benchmarks.children import ChildFailed, child
from benchmarks.report import Figure, Size, number

TITLE = "Waiting for the worker"

WORDS = {"started": "submit to first stage start", "resumed": "decision to stage resumed"}


def measure(size: Size) -> Iterator[Figure]:
    """Times are counted from when the row is on disk; the time from the call stands beside it."""
    times = size.pick(2, 40, 300)
    ours: dict[tuple[str, bool], dict[str, float]] = {}
    for other in (False, True):
        try:
            found = child("taskhub_latency", times=times, other=other)
        except ChildFailed as error:
            yield Figure("TaskHub", "not measured", met=False, beside=str(error))
            continue
        for name in WORDS:
            ours[name, other] = found[name]
    for (name, other), took in ours.items():
        most = 15 if other else 2
        yield Figure(
            f"{WORDS[name]}, {'other' if other else 'same'} process",
            f"p50 {_ms(took['p50'])}, p99 {_ms(took['p99'])}",
            f"p50 ≤ {most} ms",
            took["p50"] * 1000 <= most,
            f"counted from the call, with its commit: p50 {_ms(took['from call'])}",
        )
    if size.peers and ("resumed", False) in ours:
        yield from _peers(size, ours["resumed", False]["from call"])


def _peers(size: Size, ours: float) -> Iterator[Figure]:
    for module, words, times in (
        ("peer_langgraph", "LangGraph, interrupt to Command(resume)", size.pick(2, 40, 200)),
        ("peer_dbos", "DBOS on SQLite, recv and send", size.pick(2, 5, 20)),
    ):
        what = f"{words}, same process"
        try:
            took = child(module, what="resume", times=times)
        except ChildFailed as error:
            yield Figure(what, "not measured", beside=str(error))
            continue
        yield Figure(
            what,
            f"p50 {_ms(took['p50'])}, p99 {_ms(took['p99'])}",
            beside=f"from the call; {number(took['p50'] / ours)} × TaskHub's time from the call",
        )


def _ms(seconds: float) -> str:
    return f"{number(seconds * 1000)} ms"
