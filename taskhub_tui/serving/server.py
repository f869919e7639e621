"""The web server: the page, its files, and a web socket for each window."""

import asyncio
import contextlib
import html
import importlib.util
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from string import Template
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from taskhub_tui.domain.durations import spell
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.serving.gate import Gate
from taskhub_tui.serving.window import Window

_PAGE = Path(__file__).parent / "page"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".ttf": "font/ttf"}
_SIZE = (20, 500)
"""Columns and lines that a window may have."""
_MESSAGE = 1 << 18
"""Bytes of one message from the browser, such as a text that is pasted."""
_ALIVE = 20.0
"""Seconds after which a browser that does not answer is taken to be gone."""

Command = Callable[[int, int], Sequence[str]]
"""The words that start the app, for a window of so many columns and lines."""


def files() -> dict[str, Path]:
    """Return the files of the page by name; most come with textual-serve.

    Raises:
        BadInput: textual-serve is not there, or not as we know it.
    """
    spec = importlib.util.find_spec("textual_serve")
    static = Path(spec.origin).parent / "static" if spec and spec.origin else Path()
    found = {
        path.name: path
        for path in (
            static / "js" / "textual.js",
            static / "css" / "xterm.css",
            static / "fonts" / "RobotoMono-VariableFont_wght.ttf",
            static / "fonts" / "RobotoMono-Italic-VariableFont_wght.ttf",
            _PAGE / "page.css",
            _PAGE / "page.js",
        )
    }
    for path in found.values():
        if not path.is_file():
            raise BadInput(
                f"`taskhub serve` misses the file {path.name} of textual-serve",
                "Install textual-serve 1.1.3 anew: pip install 'taskhub-tui[serve]'",
            )
    return found


class Server:
    """Serves the app; `start` it and `close` it."""

    def __init__(
        self,
        command: Command,
        gate: Gate,
        *,
        title: str,
        most: int,
        idle: float,
        tell: Callable[[str], None],
    ) -> None:
        """
        Args:
            title: of the page.
            most: windows that may be open at once.
            idle: seconds without a key after which a window is closed.
            tell: is told, for who runs the server, what an app said that ended with an error: a
                sentence, or a traceback of many lines.
        """
        self._command = command
        self._gate = gate
        self._title = title
        self._most = most
        self._idle = idle
        self._tell = tell
        self._files = files()
        self._template = Template((_PAGE / "index.html").read_text(encoding="utf-8"))
        self._open: dict[web.WebSocketResponse, Window | None] = {}
        app = web.Application(client_max_size=1024)
        app.on_response_prepare.append(self._protect)
        app.add_routes(
            [
                web.get("/", self._door),
                web.get(f"{gate.base}/", self._index),
                web.get(f"{gate.base}/socket", self._socket),
                web.get(f"{gate.base}/{{name}}", self._file),
            ]
        )
        self._runner = web.AppRunner(
            app, handle_signals=False, access_log=None, shutdown_timeout=10.0
        )

    @property
    def windows(self) -> int:
        """How many are open."""
        return len(self._open)

    async def start(self, address: str, port: int) -> int:
        """Listen; return the port, which was free if 0 was wanted.

        Raises:
            BadInput: the address, or the port, cannot be had.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, address, port).start()
        except OSError as error:
            await self._runner.cleanup()
            why = error.strerror or str(error)
            raise BadInput(
                f"Nothing can listen on {address}, port {port}: {why}",
                "`--port 0` takes any port that is free",
            ) from error
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Close all windows, end their processes, and stop to listen."""
        for socket in list(self._open):
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(1):
                    await socket.close(code=WSCloseCode.GOING_AWAY)
        # The handlers end their processes; they are waited for.
        await self._runner.cleanup()

    # What the browser asks for

    async def _door(self, request: web.Request) -> web.StreamResponse:
        self._gate.check(request, door=True)
        raise self._gate.admitted()

    async def _index(self, request: web.Request) -> web.StreamResponse:
        self._gate.check(request)
        host = request.headers["Host"]
        text = self._template.substitute(
            title=html.escape(self._title),
            base=self._gate.base,
            socket=html.escape(f"ws://{host}{self._gate.base}/socket"),
        )
        return web.Response(text=text, content_type="text/html")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self._gate.check(request)
        path = self._files.get(request.match_info["name"])
        if path is None:
            raise web.HTTPNotFound(text="There is no such file.\n")
        return web.FileResponse(path, headers={"Content-Type": _KINDS[path.suffix]})

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self._gate.check(request, socket=True)
        socket = web.WebSocketResponse(heartbeat=_ALIVE, max_msg_size=_MESSAGE, compress=False)
        await socket.prepare(request)
        if len(self._open) >= self._most:
            many = "1 window is" if self._most == 1 else f"{self._most} windows are"
            await _say(socket, f"{many} open already, and no more may be. Close one first.")
            return socket
        # Counted before the process is started, so that not two at once pass the limit.
        self._open[socket] = None
        try:
            columns, lines = (_cells(request.query.get(name)) for name in ("width", "height"))
            self._open[socket] = window = await Window.open(self._command(columns, lines))
            try:
                await self._go_on(socket, window)
            finally:
                await asyncio.shield(window.close())
        finally:
            del self._open[socket]
        return socket

    async def _go_on(self, socket: web.WebSocketResponse, window: Window) -> None:
        showing = asyncio.create_task(self._show(socket, window), name="window")
        try:
            await self._take(socket, window)
        finally:
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await showing
            with contextlib.suppress(ConnectionError):
                await socket.close()

    async def _show(self, socket: web.WebSocketResponse, window: Window) -> None:
        """Hand on what the app shows, to its end."""
        with contextlib.suppress(ConnectionError):
            async for piece in window.shown():
                if isinstance(piece, bytes):
                    await socket.send_bytes(piece)
                elif piece.get("type") == "open_url":
                    url = str(piece.get("url"))
                    if url.startswith(("http://", "https://")):
                        await socket.send_json(["open_url", {"url": url, "new_tab": True}])
            if trouble := await window.trouble():
                self._tell(trouble)
                # One line is a sentence of ours; more are for who runs the server.
                many = "\n" in trouble
                await _say(socket, "The app has ended with an error." if many else trouble)
            await socket.close()

    async def _take(self, socket: web.WebSocketResponse, window: Window) -> None:
        """Hand on what the browser says, until it leaves or is silent for too long."""
        last = time.monotonic()
        while True:
            left = last + self._idle - time.monotonic()
            try:
                async with asyncio.timeout(left):
                    message = await socket.receive()
            except TimeoutError:
                await _say(socket, f"Nobody pressed a key for {spell(self._idle)}.")
                return
            if message.type is not WSMsgType.TEXT:
                return
            what, value = _understood(message.data)
            if what == "stdin" and isinstance(value, str):
                last = time.monotonic()
                await window.type(value)
            elif what == "resize" and isinstance(value, dict):
                size = {name: _cells(value.get(name)) for name in ("width", "height")}
                await window.tell({"type": "resize", **size})
            elif what in ("focus", "blur"):
                await window.tell({"type": what})

    async def _protect(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give every answer what keeps it from being used otherwise than it was meant."""
        host = request.headers.get("Host", "")
        safe = host if host and not set(host) & set(" ;,'\"\\") else "localhost"
        response.headers.update(
            {
                "Content-Security-Policy": (
                    "default-src 'none'; script-src 'self'; font-src 'self';"
                    # The terminal makes its own style sheet when it starts.
                    " style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
                    f" connect-src 'self' ws://{safe}; base-uri 'none'; form-action 'none';"
                    " frame-ancestors 'none'"
                ),
                "Cache-Control": "no-store",
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Permissions-Policy": "camera=(), clipboard-read=(), geolocation=(), microphone=()",
                "Referrer-Policy": "no-referrer",
                "Server": "taskhub",
                "X-Content-Type-Options": "nosniff",
                "X-Frame-Options": "DENY",
            }
        )


def _cells(value: Any) -> int:
    """Return a number of columns or lines that a browser gave, within what can be drawn."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = 80
    return min(_SIZE[1], max(_SIZE[0], number))


def _understood(text: str) -> tuple[str, Any]:
    """Return what a message of the browser is about, and what it says; "" if nothing is."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "", None
    if isinstance(found, list) and found and isinstance(found[0], str):
        return found[0], found[1] if len(found) > 1 else None
    return "", None


async def _say(socket: web.WebSocketResponse, sentence: str) -> None:
    """Write a sentence where the app would be, and close the window."""
    with contextlib.suppress(ConnectionError):
        await socket.send_bytes(f"\x1b[?1049l\x1b[2J\x1b[H\r\n  {sentence}\r\n".encode())
        await socket.close()
