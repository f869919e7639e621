"""Two virtual days with an outage and crashes: nothing lost or late, and the caps are kept."""

import tempfile
from pathlib import Path

import pytest
from simulation.outage import Outage
from simulation.run import workshop

from taskhub_tui.notifications.policy import Channel


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_two_days_with_an_outage_lose_nothing_and_tell_nothing_late(seed: int) -> None:
    with workshop() as shop, tempfile.TemporaryDirectory(dir=shop) as name:
        world = Outage(seed, Path(name), shop / "empty.db")
        outcome = world.run()
    assert outcome.broken is None, f"seed {seed}: {outcome.broken}"
    counts = {channel: len(outside.came) for channel, outside in world.outside.items()}
    print(counts, outcome.counts, world.answers, world.late)
    # Else there was nothing to lose, and nothing was proven.
    assert outcome.counts["crashes"] > 5
    assert world.answers > 150
    assert min(counts[c] for c in (Channel.DESKTOP, Channel.PHONE, Channel.EMAIL)) > 20
    assert counts[Channel.SMS] > 2
    assert world.outside[Channel.PHONE].refused > 20
