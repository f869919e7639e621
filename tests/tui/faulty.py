"""Runs `taskhub` with two mistakes in the app: in what `/` begins, and in a click on the header."""

from typing import Any

from taskhub_tui.__main__ import main
from taskhub_tui.hub import Hub
from taskhub_tui.tui.widgets.header import HubHeader


async def known_values(hub: Hub) -> Any:
    raise RuntimeError("no such \x1b]52;c;SEVJTA==\x07 part")


def on_click(header: HubHeader, event: Any) -> None:
    raise ZeroDivisionError("counts of nothing")


if __name__ == "__main__":
    for kind, work in ((Hub, known_values), (HubHeader, on_click)):
        setattr(kind, work.__name__, work)
    main()
