"""The language of filters: what it takes, what it refuses and why, and what fits."""

from dataclasses import replace

import pytest

from taskhub_tui.domain.filtering import BadFilter, Filter, help_for, matches, parse
from taskhub_tui.domain.model import Priority, Status, Task, WaitingOn

NOW = 1_000_000.0
TASK = Task(
    "k3f9x2ab", 1, "Backfill embeddings, shard 07", "Fill them", "ann", "claude-2", "/",
    Status.FAILED, NOW - 9000, NOW - 7200, 1, stage_name="write index", started=NOW - 9000,
    ended=NOW - 7200, priority=Priority.HIGH, playbook="data-report", stage_agent="command",
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "", "backfill", "SHARD back", '"shard 07"', "status:failed", "status:fa",
        "stat:failed,done",
        "status:over", "agent:claude", "agent:command", 'stage:"write i"', "owner:ANN",
        "playbook:data", "priority:high,critical", "id:k3f", "older:1h", "newer:3h", "ran:>20m",
        "ran:<1h", "!agent:codex", "!word", "!status:open", '"shard 07', "!",
        "!older:1d status:failed",
    ],
)  # fmt: skip
def test_it_fits(text: str) -> None:
    assert matches(parse(text), TASK, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "zebra", "backfill zebra", '"07 shard"', "status:done", "status:open", "agent:codex",
        "stage:read", "owner:peter", "playbook:backup", "priority:low", "id:3f", "older:3h",
        "newer:1h", "ran:>1h", "ran:<20m", "!agent:claude", "!shard", "!status:failed,done",
    ],
)  # fmt: skip
def test_it_does_not_fit(text: str) -> None:
    assert not matches(parse(text), TASK, NOW)


def test_who_is_asked_needs_you_also_while_it_runs() -> None:
    silent = replace(TASK, status=Status.IN_PROGRESS, waiting_on=WaitingOn.USER)
    for text in ("status:needs", "status:running", "status:stalled", "status:open"):
        assert matches(parse(text), silent, NOW)
    asks = replace(TASK, status=Status.BLOCKED)
    assert matches(parse("status:needs"), asks, NOW)
    assert not matches(parse("status:stalled"), asks, NOW)


@pytest.mark.parametrize(
    ("text", "wrong", "would_do"),
    [
        ("statos:failed", "`statos` is not a field", "Fields: status, agent"),
        ("http://x", "`http` is not a field", '"http://x"'),
        ("st:failed", "`st` may be status or stage", "one more letter"),
        ("status:green", "`green` is no status", "needs, failed"),
        ("status:p", "`p` may be paused or pending", "one more letter"),
        ("status:", "`status:` needs a value", "needs, failed"),
        ("priority:urgent", "`urgent` is no priority", "critical, high"),
        ("older:5", "`older:5` needs a unit", "older:10m"),
        ("newer:soon", "`soon` is not a duration", "newer:2d"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_do(text: str, wrong: str, would_do: str) -> None:
    with pytest.raises(BadFilter) as caught:
        parse(text)
    assert wrong in str(caught.value)
    assert would_do in (caught.value.hint or "")


def test_a_filter_of_nothing_is_none() -> None:
    assert not parse("  ")
    assert parse("  ") == Filter()


@pytest.mark.parametrize(
    ("text", "completion", "words"),
    [
        ("", "", "status: agent: stage:"),
        ("ag", "ent:", "agent:"),
        ("x !sta", "tus:", "status: stage:"),
        ("status:fa", "iled", "status: failed"),
        ("!status:failed,do", "ne", "status: done"),
        ("agent:cl", "aude-2", "agent: claude-2"),
        ("older:", "", "older: AGE is more than this"),
        ("backfill", "", ""),
        ("nosuch:x", "", ""),
    ],
)
def test_what_may_come_next(text: str, completion: str, words: str) -> None:
    said = help_for(text, {"agent": ["claude-2", "command"]})
    assert said.completion == completion
    assert said.words.startswith(words)
