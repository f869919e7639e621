"""Stands for a worker at the app's other side: alive, and while told to, it writes progress.

It reads words from standard input, one JSON object a line: `change` is true or false.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks import product
from benchmarks.front import say

from taskhub_tui import __version__, process
from taskhub_tui.doorbell import Doorbell
from taskhub_tui.storage import claims, stages
from taskhub_tui.storage.store import Store

EVERY = 0.1
ME = "writer"


async def serve(home: Path, *, running: int) -> None:
    """Keep `running` tasks moving while told to."""
    where = product.where(home)
    store = await Store.open(where.database, here=True)
    bell = Doorbell(where.home)
    store.after_commit = lambda tx: bell.ring_soon()
    me = process.identity()
    now = time.time()
    await store.write(lambda tx: claims.beat(tx, ME, me, __version__, now, now + 86_400))
    held = await store.read(
        lambda reader: reader.execute(
            "SELECT n, fence FROM task WHERE status = 'in_progress' ORDER BY n DESC LIMIT ?",
            (running,),
        ).fetchall()
    )
    changing = asyncio.Event()

    async def change() -> None:
        turn, due = 0, time.monotonic()
        while True:
            await changing.wait()
            turn += 1
            made = [
                stages.Progressed(n, fence, 2, part, part, f"step {turn}", None)
                for n, fence in held
                for part in [((n * 7 + turn) % 100) / 100]
            ]
            await store.write(lambda tx, made=made: stages.progress(tx, made, time.time()))
            due = max(due + EVERY, time.monotonic() - EVERY)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    writing = asyncio.create_task(change())
    say({"up": len(held)})
    while line := await asyncio.to_thread(sys.stdin.readline):
        (changing.set if json.loads(line)["change"] else changing.clear)()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    bell.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), **json.loads(sys.argv[2])))
