"""Running one seed, or many."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from simulation.world import Outcome, World
from taskhub_tui.storage.store import Store


@contextmanager
def workshop() -> Iterator[Path]:
    """Give a folder, in memory where that can be had, with an empty database in it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="taskhub-sim-", dir=memory if memory.is_dir() else None
    ) as name:
        folder = Path(name)
        asyncio.run(create(folder / "empty.db"))
        yield folder


async def create(path: Path) -> None:
    """Make an empty database."""
    await (await Store.open(path)).close()


def simulate(seed: int, shop: Path, *, without: Sequence[str] = ()) -> Outcome:
    """Run one seed in a folder of its own, which is removed."""
    with tempfile.TemporaryDirectory(prefix=f"{seed}-", dir=shop) as name:
        return World(seed, Path(name), shop / "empty.db", without=tuple(without)).run()
