"""Waiting for what a window shows, and for its end."""

import asyncio
import time

import aiohttp
import psutil


async def gone(process: psutil.Process) -> None:
    """Wait until a process has ended."""
    end = time.monotonic() + 30
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, f"{process} goes on"
        await asyncio.sleep(0.05)


async def shown(socket: aiohttp.ClientWebSocketResponse, words: str) -> str:
    """Read until a window has shown `words`; return all that it showed until then."""
    text = ""
    async with asyncio.timeout(60):
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                text += message.data.decode("utf-8", "replace")
                if words in text:
                    return text
    raise AssertionError(f"No {words!r} in {text[-2000:]!r}")
