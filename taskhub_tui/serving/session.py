"""The process of one window: the app, whose terminal is in a browser."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any

from taskhub_tui.domain.errors import TaskHubError


def command(columns: int, lines: int, *, decisions: bool, ascii: bool) -> list[str]:
    """Return the words that start this process."""
    words = [sys.executable, "-m", "taskhub_tui.serving.session", str(columns), str(lines)]
    return words + ["--decisions"] * decisions + ["--ascii"] * ascii


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app until its window is closed."""
    parser = argparse.ArgumentParser(prog="taskhub serve")
    parser.add_argument("columns", type=int)
    parser.add_argument("lines", type=int)
    parser.add_argument("--decisions", action="store_true")
    parser.add_argument("--ascii", action="store_true")
    args = parser.parse_args(argv)
    # Textual reads this once. It must not be left to the workers that are started from here, nor
    # to what they run.
    os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"
    import textual.constants  # noqa: F401

    del os.environ["TEXTUAL_COLOR_SYSTEM"]
    try:
        return asyncio.run(_run(args))
    except TaskHubError as error:
        sys.stderr.write(f"{error}. {error.hint or ''}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


async def _run(args: argparse.Namespace) -> int:
    from taskhub_tui import config
    from taskhub_tui.hub import Hub
    from taskhub_tui.serving.driver import BrowserDriver
    from taskhub_tui.serving.sealed import seal
    from taskhub_tui.tui.app import TaskHubApp

    where = config.paths()
    settings = config.settings(where)
    async with await Hub.open(
        paths=where, settings=settings, channel="browser", read_only=not args.decisions
    ) as hub:
        if hub.read_only:
            seal([hub.touched], [where.home, where.config.parent])
        app = TaskHubApp(hub, ascii=args.ascii or settings.ascii)
        driver: Any = BrowserDriver
        app.driver_class = driver
        if hub.read_only:
            app.call_later(_say, app)
        await app.run_async(size=(args.columns, args.lines))
        return app.return_code or 0


def _say(app: Any) -> None:
    app.notify("This view only shows; decisions are taken in a terminal", markup=False)


if __name__ == "__main__":
    sys.exit(main())
