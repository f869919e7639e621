"""A headless Chromium, driven by its DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import os
import re
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE = 60.0
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def program() -> str | None:
    """Return the browser, or None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Page:
    """One tab: what it asks for, what it is sent, and its keys."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session = ""
        self.asked: list[str] = []
        """Addresses of all requests and web sockets."""
        self.errors: list[str] = []
        """What the page's console has told of errors."""
        self._shown = bytearray()
        self._reading = asyncio.create_task(self._read())

    async def open(self) -> None:
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Network", "Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=1280, height=720, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    async def close(self) -> None:
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send_json(message)
        async with asyncio.timeout(PATIENCE):
            return await self._answers[number]

    async def _read(self) -> None:
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                waiting = self._answers.get(said["id"])
                if waiting is not None and not waiting.done():
                    if "error" in said:
                        waiting.set_exception(RuntimeError(said["error"]["message"]))
                    else:
                        waiting.set_result(said["result"])
                continue
            found = said.get("params", {})
            match said["method"]:
                case "Network.requestWillBeSent":
                    self.asked.append(found["request"]["url"])
                case "Network.webSocketCreated":
                    self.asked.append(found["url"])
                case "Network.webSocketFrameReceived" if found["response"]["opcode"] == 2:
                    self._shown += base64.b64decode(found["response"]["payloadData"])
                case "Log.entryAdded" if found["entry"]["level"] == "error":
                    self.errors.append(found["entry"]["text"])
                case "Runtime.exceptionThrown":
                    self.errors.append(str(found["exceptionDetails"]))

    @property
    def shown(self) -> str:
        """What the terminal in the page was sent, without colours."""
        return _STYLE.sub("", self._shown.decode("utf-8", "replace"))

    async def until(self, words: str, start: int = 0) -> None:
        """Wait until the terminal was sent `words`, from a mark on."""
        await self.wait(lambda: words in self.shown[start:], words)

    async def wait(self, fact: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not fact():
            assert time.monotonic() < end, f"{what}: it never came in {self.shown[-3000:]!r}"
            await asyncio.sleep(0.02)

    async def go(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def evaluate(self, script: str) -> Any:
        found = await self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def press(self, key: str) -> None:
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"Enter": 13, "Escape": 27}.get(key, ord(key.upper()) if len(key) == 1 else 0)
        about = {"key": key, "windowsVirtualKeyCode": code}
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    async def press_until(self, key: str, words: str, start: int, every: float = 1.5) -> None:
        """Press a key, again while a dialog still rests, until `words` are shown."""
        end = time.monotonic() + PATIENCE
        while words not in self.shown[start:]:
            assert time.monotonic() < end, f"{words}: it never came in {self.shown[start:]!r}"
            await self.press(key)
            again = time.monotonic() + every
            while time.monotonic() < again and words not in self.shown[start:]:
                await asyncio.sleep(0.02)

    async def picture(self, path: Path) -> None:
        found = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Page]:
    """Start a browser with a fresh profile in `folder`; it is ended in the end."""
    name = program()
    assert name is not None
    browser = await asyncio.create_subprocess_exec(
        name,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={folder}",
        "--remote-debugging-port=0",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "HOME": str(folder)},
    )
    try:
        port = folder / "DevToolsActivePort"
        end = time.monotonic() + PATIENCE
        while not port.exists() or port.read_text().count("\n") < 1:
            assert time.monotonic() < end, "Chromium did not start"
            assert browser.returncode is None, "Chromium ended at once"
            await asyncio.sleep(0.05)
        number, path = port.read_text().split("\n")[:2]
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(f"ws://127.0.0.1:{number}{path}", max_msg_size=0) as socket,
        ):
            page = Page(socket)
            await page.open()
            try:
                yield page
            finally:
                await page.close()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        await browser.wait()
