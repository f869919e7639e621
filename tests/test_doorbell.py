"""Who waits is woken at once, and nothing depends on it."""

import asyncio
from pathlib import Path

from taskhub_tui.doorbell import Doorbell, folder


async def test_a_ring_wakes_all_the_others_but_not_oneself(home: Path) -> None:
    bells = [Doorbell(home) for _ in range(3)]
    for bell in bells:
        bell.listen()
    try:
        bells[0].ring()
        assert await asyncio.gather(bells[1].wait(5), bells[2].wait(5)) == [True, True]
        assert not await bells[0].wait(0.05)
        assert not await bells[1].wait(0.05), "one ring wakes once"
    finally:
        for bell in bells:
            bell.close()
    assert list(folder(home).iterdir()) == []


async def test_who_died_without_a_word_is_cleared_away(home: Path) -> None:
    dead, alive = Doorbell(home), Doorbell(home)
    dead.listen()
    alive.listen()
    assert dead._socket is not None
    asyncio.get_running_loop().remove_reader(dead._socket)
    dead._socket.close()
    assert len(list(folder(home).iterdir())) == 2
    alive.ring()
    assert len(list(folder(home).iterdir())) == 1
    alive.close()


async def test_a_hundred_rings_block_nobody(home: Path) -> None:
    deaf, ringing = Doorbell(home), Doorbell(home)
    deaf.listen()
    try:
        for _ in range(1000):
            ringing.ring()  # A bell that blocked would hang here.
        assert await deaf.wait(5)
    finally:
        deaf.close()


async def test_who_commits_all_the_time_rings_at_once_and_then_now_and_then(home: Path) -> None:
    hearing, ringing = Doorbell(home), Doorbell(home)
    hearing.listen()
    rings = 0

    def count() -> None:
        nonlocal rings
        rings += 1
        Doorbell.ring(ringing)

    ringing.ring = count  # type: ignore[method-assign]
    try:
        ringing.ring_soon()
        assert rings == 1
        for _ in range(1000):
            ringing.ring_soon()
        assert rings == 1
        assert await hearing.wait(5)
        assert await hearing.wait(5), "what came after the first ring is heard as well"
        assert rings == 2
        ringing.ring_soon()
        ringing.ring_soon()
        ringing.close()
        assert await hearing.wait(5), "the last one is not forgotten"
    finally:
        hearing.close()


async def test_a_home_with_a_long_name_has_a_bell_too(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 90)
    one, two = Doorbell(home), Doorbell(home)
    one.listen()
    try:
        two.ring()
        assert await one.wait(5)
        assert folder(home).stat().st_mode & 0o777 == 0o700
    finally:
        one.close()
        folder(home).rmdir()


async def test_where_no_bell_can_be_had_waiting_just_takes_its_time(home: Path) -> None:
    (home / "run").write_text("in the way")
    bell = Doorbell(home)
    bell.listen()
    bell.ring()
    assert not await bell.wait(0.02)
    bell.close()
