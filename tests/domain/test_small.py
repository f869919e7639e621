"""Durations, identifiers, delegation and playbooks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskhub_tui.domain import delegation, durations, ids
from taskhub_tui.domain.errors import BadInput, BadPlaybook
from taskhub_tui.domain.model import AgentCard
from taskhub_tui.domain.playbook import parse

# Durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0", 0),
        ("1.5", 1.5),
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1w", 604800),
        (" 1H 30M ", 5400),
        ("0.5h", 1800),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert durations.parse(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "soon", "10x", "-5", "1h30", "m", "1..5s", "nan", "1e3"])
def test_what_is_no_duration_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write it like 90s, 10m"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h00"),
        (3840, "1h04"),
        (86399, "23h59"),
        (86400, "1d"),
        (12 * 86400, "12d"),
    ],
)
def test_a_duration_is_spelt_shortly(seconds: float, text: str) -> None:
    assert durations.spell(seconds) == text


@given(st.floats(0, 86400 * 9999))
def test_a_spelt_duration_is_at_most_five_characters(seconds: float) -> None:
    assert len(durations.spell(seconds)) <= 5


@pytest.mark.parametrize(
    ("text", "soon"),
    [
        ("9s", True),
        ("~45s left", True),
        ("silent 0s", True),
        ("1m 30s", False),
        ("waits 2h 05m", False),
        ("3/5 tests", False),
        ("12m", False),
        ("", False),
    ],
)
def test_what_is_told_in_seconds_alone_will_soon_read_differently(text: str, soon: bool) -> None:
    assert durations.in_seconds(text) is soon


# Identifiers


@given(st.integers(0, 30**8 - 1))
def test_an_identifier_can_be_read_out(number: int) -> None:
    made = ids.new_id(lambda below: number % below)
    assert len(made) == 8
    assert not set(made) & set("01ilou")
    assert made == made.lower()


def test_every_number_has_its_own_identifier() -> None:
    some = [*range(1000), 30**7, 30**8 - 1]
    assert len({ids.new_id(lambda below, n=n: n) for n in some}) == len(some)


# Delegation

CARDS = [
    AgentCard("analyst", "Analyst", "", keywords=("stock price", "report"), options={"file": "x"}),
    AgentCard("command", "Command", "", keywords=("run",), options={"argv": "x", "shell": "x"}),
    AgentCard("broken", "Broken", "", keywords=("run", "report"), problem="it is not installed"),
]


def test_the_best_fit_is_chosen_and_explained() -> None:
    best = delegation.choose("A report on the stock price of X", {"file": "a.csv"}, CARDS)
    assert best.card.name == "analyst"
    assert best.why == "the request speaks of “stock price”, “report”; it understands `file`"


def test_every_agent_is_ranked_with_a_reason() -> None:
    ranking = delegation.rank("Run it", {"argv": ["x"]}, CARDS)
    assert [(r.card.name, r.score) for r in ranking] == [
        ("command", 3.0),
        ("analyst", 0.0),
        ("broken", 0.0),
    ]
    assert ranking[1].why == "it does not know `argv`"
    assert ranking[2].why == "cannot be used: it is not installed"


def test_a_keyword_counts_as_a_whole_word_only() -> None:
    (first, *_) = delegation.rank("Prune the runner", {}, CARDS)
    assert first.score == 0


def test_no_fit_and_a_tie_are_said_with_what_to_do() -> None:
    with pytest.raises(BadInput, match="No agent is an obvious fit") as told:
        delegation.choose("Sing", {}, CARDS)
    assert told.value.hint == "Name one with --agent; there are `analyst`, `command`, `broken`"
    with pytest.raises(BadInput, match="`analyst` and `command` fit this request equally well"):
        delegation.choose("Run the report", {}, CARDS)
    with pytest.raises(BadInput, match="No agent is an obvious fit"):
        delegation.choose("Run", {}, [])


# Playbooks

STAGE = {"name": "one", "agent": "command"}


def test_a_playbook_becomes_stages() -> None:
    table = {
        "name": "Nightly",
        "agent": "command",
        "options": {"cwd": "/srv", "shell": "a"},
        "stage": [
            {"name": "build", "options": {"shell": "make"}, "timeout": "1h30m", "retries": 2},
            {"name": "ship", "agent": "other", "gate": True, "weight": 3, "on_interrupt": "ask"},
        ],
    }
    build, ship = parse(table, "nightly.toml").specs()
    assert (build.agent, build.timeout, build.retries) == ("command", 5400.0, 2)
    assert build.options == {"cwd": "/srv", "shell": "make"}
    assert (ship.agent, ship.gate, ship.weight, ship.on_interrupt) == ("other", True, 3.0, "ask")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "`name` is missing; `stage` is missing"),
        ({"name": "P", "stage": []}, "`stage`: list should have at least 1 item"),
        ({"name": "P", "stage": [STAGE], "color": 1}, "`color` is not a key here"),
        (
            {"name": "P", "stage": [STAGE, {"name": "two", "gaet": True}]},
            "stage 2 (`two`): `gaet` is not a key here",
        ),
        ({"name": "P", "stage": [{"agent": "a"}]}, "stage 1: `name` is missing"),
        (
            {"name": "P", "stage": [{**STAGE, "timeout": "soon"}]},
            "stage 1 (`one`): `timeout`: `soon` is not a duration",
        ),
        (
            {"name": "P", "stage": [{**STAGE, "timeout": float("nan")}]},
            "stage 1 (`one`): `timeout`: input should be",
        ),
        (
            {"name": "P", "stage": [{**STAGE, "timeout": "9" * 400}]},
            "stage 1 (`one`): `timeout`: input should be a finite number",
        ),
        (
            {"name": "P", "stage": [{**STAGE, "weight": 0}]},
            "stage 1 (`one`): `weight`: input should be greater than 0",
        ),
        ({"name": "P", "stage": [{**STAGE, "retries": -1}]}, "stage 1 (`one`): `retries`: input"),
        (
            {"name": "P", "stage": [{**STAGE, "on_interrupt": "panic"}]},
            "stage 1 (`one`): `on_interrupt`: input should be 'adopt', 'rerun' or 'ask'",
        ),
        ({"name": "P", "stage": [STAGE, STAGE]}, "two stages are called `one`"),
        ({"name": "\x1b[1m", "stage": [STAGE]}, "`name`: string should match"),
        ({"name": "P", "stage": "one"}, "`stage`: input should be a valid list"),
    ],
)
def test_what_is_wrong_in_a_playbook_is_said_with_its_place(
    table: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadPlaybook) as told:
        parse(table, "p.toml")
    assert str(told.value).startswith("p.toml: ")
    assert said in str(told.value)


def test_a_stage_without_an_agent_is_named() -> None:
    playbook = parse({"name": "P", "stage": [{"name": "one"}]}, "p.toml")
    with pytest.raises(BadPlaybook, match=r"Stage 1 \(`one`\) of playbook `P` names no agent"):
        playbook.specs()


@pytest.mark.parametrize("name", ["a\x1b]0;t\x07b", "x" * 61, "", "../up", "a\nb"])
def test_a_stage_cannot_be_called_just_anything(name: str) -> None:
    with pytest.raises(BadPlaybook) as told:
        parse({"name": "P", "stage": [{"name": name, "agent": "a"}]}, "p.toml")
    assert "\x1b" not in str(told.value)
