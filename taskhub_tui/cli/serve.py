"""`taskhub serve`: the hub in a browser, until Ctrl-C."""

import asyncio
import contextlib
import ipaddress
import os
import signal
import time
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from taskhub_tui.cli import values
from taskhub_tui.cli.look import rouse
from taskhub_tui.cli.output import Output
from taskhub_tui.domain.errors import BadInput, TaskHubError

if TYPE_CHECKING:
    from taskhub_tui.hub import Hub

_WORKER_EVERY = 5.0
_MOST_LOGGED = 1_000_000
"""Bytes of the log after which it is begun anew."""


def serve(args: Namespace, out: Output) -> int:
    """Serve the hub, and print the address to open."""
    if find_spec("aiohttp") is None or find_spec("textual_serve") is None:
        raise BadInput(
            "`taskhub serve` needs packages that are not installed",
            "pip install 'taskhub-tui[serve]'",
        )
    return asyncio.run(_serve(args, out))


async def _serve(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub
    from taskhub_tui.serving import session
    from taskhub_tui.serving.gate import Gate
    from taskhub_tui.serving.server import Server

    idle = values.duration(args.idle, "--idle")
    if idle < 1:
        raise BadInput("--idle: a window must be open for 1s at least")
    address = _address(args)
    decisions, plain = args.allow_decisions, vars(args).get("ascii", False)
    async with await Hub.open(channel="cli") as hub:
        await rouse(hub, out)
        gate = Gate() if address.is_loopback else Gate([str(address)])
        server = Server(
            lambda columns, lines: session.command(
                columns, lines, decisions=decisions, ascii=plain
            ),
            gate,
            title="TaskHub" if decisions else "TaskHub (only shows)",
            most=args.windows,
            idle=idle,
            tell=lambda trouble: _trouble(out, hub.paths.serve_log, trouble),
        )
        port = await server.start(str(address), args.port)
        try:
            shown = f"[{address}]" if address.version == 6 else str(address)
            _tell(out, args, f"http://{shown}:{port}/?token={gate.token}", address.is_loopback)
            await _ended(hub)
        finally:
            open_ = server.windows
            await server.close()
        if open_:
            out.say(f"Closed {open_} window{'s' * (open_ != 1)}; the work goes on.")
    return 0


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(args: Namespace) -> Address:
    name = "127.0.0.1" if args.host == "localhost" else args.host
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        raise BadInput(
            f"--host: `{args.host}` is not an address", "Write it in numbers: 127.0.0.1 or ::1"
        ) from None
    if address.is_unspecified:
        raise BadInput(
            f"--host: {address} is every address of this machine",
            "Name the one that is to be used: a request by any other name is refused",
        )
    if not address.is_loopback and not args.network:
        may = "see your tasks and decide, which is to run any command as you"
        may = may if args.allow_decisions else "see your tasks, their logs and results"
        raise BadInput(
            f"At {address} other machines reach TaskHub, and nothing is encrypted: whoever reads "
            f"along has the token, and may {may}",
            f"Safer: `ssh -L {args.port}:127.0.0.1:{args.port} HOST`, and serve without --host. "
            "--network does it all the same",
        )
    return address


def _tell(out: Output, args: Namespace, url: str, here: bool) -> None:
    if out.as_json:
        out.data({"url": url, "read_only": not args.allow_decisions})
    else:
        out.line(url)
    out.out.flush()
    where = "on this machine" if here else "that reaches this address"
    may = "hand over tasks and decide" if args.allow_decisions else "look, and nothing else"
    out.say(f"Open it in a browser {where}: whoever has it can {may}. Ctrl-C ends it.")


def _trouble(out: Output, log: Path, trouble: str) -> None:
    """Say in one sentence that a window has ended with an error; a traceback goes to the log."""
    if "\n" not in trouble:
        out.say(f"A window has ended with an error: {trouble}")
        return
    at = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        fresh = os.O_TRUNC if log.exists() and log.stat().st_size > _MOST_LOGGED else 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | fresh
        with os.fdopen(os.open(log, flags, 0o600), "a", encoding="utf-8") as file:
            file.write(f"{at} A window has ended with an error:\n{trouble}\n\n")
        where = f"{log} says more"
    except OSError as error:
        where = f"what it said cannot be written to {log}: {error.strerror}"
    out.say(f"A window has ended with an error; {where}")


async def _ended(hub: "Hub") -> None:
    """Wait for a signal to end; meanwhile have work go on that lost its worker."""
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end.set)
    while True:
        try:
            async with asyncio.timeout(_WORKER_EVERY):
                await end.wait()
            return
        except TimeoutError:
            pass
        with contextlib.suppress(TaskHubError):  # The app says so in each window.
            await hub.rouse()
