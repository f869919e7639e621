"""The decision dialog: shows all, offers what is legal, and decides nothing nobody meant."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from textual.widgets import Input, TextArea

from taskhub_tui.domain.model import Action, BlockerKind, Choice, Decision, StageStatus, Status
from taskhub_tui.domain.model import TaskView as View
from taskhub_tui.tui import editor
from taskhub_tui.tui.screens.decision import REST, DecisionScreen
from taskhub_tui.tui.screens.decision_words import KEYS
from taskhub_tui.tui.widgets.plain import Keys
from tests.tui.forms import CARDS, HOSTILE, NOW, Host, Moments, failed, view

ASKED = {
    "commands": ["alembic upgrade head", "./bin/replay --limit 500"],
    "reason": "The new table is empty",
    "arguments": {"table": "billing", "rows": 500},
}


def silent(seconds: float = 3600.0) -> View:
    """Return a task that is asked about since its agent says nothing; its stage runs on."""
    return view(
        BlockerKind.STALLED,
        Status.IN_PROGRESS,
        key="stalled 1",
        question="The stage “review” has given no sign of life for 15m 00s. Leave it running?",
        stage_status=StageStatus.RUNNING,
        task={"silent_since": NOW - seconds},
        current={"started": NOW - 7200, "estimate": 600.0},
        created=NOW - seconds + 900,
        detail={"agent": "claude-2", "last said": "reading box 3", "request": "Replay it"},
    )


def dialog(what: View, *, awake: bool = True, **how: Any) -> Callable[[], DecisionScreen]:
    """Return the dialog; `awake` means that its first moment has passed."""

    def make() -> DecisionScreen:
        moments = how.pop("monotonic", None) or Moments()
        screen = DecisionScreen(what, CARDS, clock=lambda: NOW, monotonic=moments, **how)
        screen._awake = awake
        return screen

    return make


async def after(make: Callable[[], DecisionScreen], *keys: str, size: Any = (100, 36)) -> Host:
    """Press `keys` in the dialog and return the app."""
    app = Host(make)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        app.seen = app.text()
    return app


async def test_everything_proposed_is_shown() -> None:
    app = await after(dialog(view(detail=ASKED), place=(1, 3)))
    for words in (
        "! Approval needed · 1 of 3",
        "Migrate billing webhooks to v3",
        "claude-2 · stage 3/5 review · waiting 2m",
        "$ alembic upgrade head",
        "$ ./bin/replay --limit 500",
        "The new table is empty",
        '"table": "billing"',
        "a approve",
        "esc decide later",
    ):
        assert words in app.seen


async def test_a_long_text_scrolls_and_the_keys_stay_in_sight_at_80x24() -> None:
    diff = "\n".join(f"+line {n}" for n in range(200))
    app = Host(dialog(view(detail={"diff": diff})))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "X cancel task" in app.text()
        await pilot.press("end")
        await pilot.pause()
        assert "+line 199" in app.text()
        assert "X cancel task" in app.text()


@pytest.mark.parametrize(
    ("what", "title"),
    [
        (view(BlockerKind.INPUT), "? Answer needed"),
        (view(BlockerKind.INTERRUPTED), "Interrupted"),
        (view(key="review"), "Review needed"),
        (failed(), "✗ Failed"),
        (view(None, Status.IN_PROGRESS, stage_status=StageStatus.RUNNING), "In progress"),
        (silent(), "! No sign of life"),
    ],
)
async def test_only_legal_actions_are_offered(what: View, title: str) -> None:
    app = Host(dialog(what))
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        assert title in app.text()
        offered = {key for key, _ in app.screen.query_one("#actions", Keys)._keys}
        assert offered == {f"decision.{action}" for action in what.legal} | {"decision.later"}
        for action in set(KEYS) - set(what.legal):
            await pilot.press(KEYS[action])
        assert app.answers == []
        assert isinstance(app.screen, DecisionScreen)


async def test_a_failure_shows_the_error_the_attempts_and_the_last_ten_lines() -> None:
    app = await after(dialog(failed(), log_tail=[f"line {n}" for n in range(15)]))
    assert "has no column `close`" in app.seen
    assert "2 of 3" in app.seen
    assert "line 5" in app.seen
    assert "line 4" not in app.seen


async def test_of_a_silent_stage_everything_is_said_as_of_now() -> None:
    app = await after(dialog(silent(), log_tail=["mounting /srv", "reading box 3"]))
    for words in (
        "claude-2 · stage 3/5 review · silent 1h 00m",
        "has given no sign of life for 1h 00m. Leave it running?",
        "Last said  reading box 3",
        "for 2h00, usually 10m",
        "mounting /srv",
        "a leave it running   r stop and run again",
    ):
        assert words in app.seen
    assert "15m 00s" not in app.seen
    assert "Agent" not in app.seen, "who it is stands above already"


async def test_giving_away_what_a_silent_agent_does_asks_first() -> None:
    assert (await after(dialog(silent()), "t", "down", "enter", "n")).answers == []
    app = await after(dialog(silent()), "t", "down", "enter", "y")
    assert [(a.action, a.agent) for a in app.answers] == [(Action.REASSIGN, "analyst")]


async def test_a_failure_that_would_only_come_again_says_why_it_was_not_repeated() -> None:
    again = view(
        None,
        Status.FAILED,
        stage_status=StageStatus.FAILED,
        task={"error": "no", "ended": NOW - 30},
        current={"error": "no", "retries": 3, "failures": 1},
    )
    app = await after(dialog(again))
    assert "1 of 4; this kind of failure is not repeated by itself" in app.seen


async def test_keys_are_dead_until_the_typing_has_paused() -> None:
    moments = Moments()
    app = Host(dialog(view(), awake=False, monotonic=moments))
    async with app.run_test() as pilot:
        moments.at += REST - 0.1
        await pilot.press("a")
        moments.at += REST - 0.1  # since it opened long enough, but not since the last key
        await pilot.press("a")
        assert app.answers == []
        moments.at += REST
        await pilot.press("a")
    assert app.answers == [Decision(Action.APPROVE, by="", channel="app")]


async def test_a_click_that_comes_too_early_does_nothing() -> None:
    moments = Moments()
    app = Host(dialog(view(), awake=False, monotonic=moments))
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.click("#actions", offset=(1, 0))
        assert app.answers == []
        moments.at += REST
        await pilot.click("#actions", offset=(1, 0))
        await pilot.pause()
    assert [answer.action for answer in app.answers] == [Action.APPROVE]


async def test_enter_alone_decides_nothing() -> None:
    choices = (Choice("y", "Yes", "approve"), Choice("n", "No", "deny"))
    app = await after(dialog(view(choices=choices)), "enter", "enter", "tab", "enter")
    assert app.answers == []


async def test_escape_decides_later() -> None:
    assert (await after(dialog(view()), "escape")).answers == [None]


async def test_cancelling_asks_for_another_key() -> None:
    assert (await after(dialog(view()), "X", "X")).answers == []
    assert (await after(dialog(view()), "X", "enter")).answers == []
    app = await after(dialog(view()), "X", "y")
    assert [answer.action for answer in app.answers] == [Action.CANCEL]


async def test_high_risk_wants_y_and_enter() -> None:
    risky = view(risk="high")
    assert (await after(dialog(risky), "a", "enter")).answers == []
    assert (await after(dialog(risky), "a", "a", "enter")).answers == []
    app = await after(dialog(risky), "a", "y", "enter")
    assert [answer.action for answer in app.answers] == [Action.APPROVE]


async def test_context_that_approves_a_dangerous_gate_is_asked_about_too() -> None:
    gate = view(key="gate", risk="high")
    assert (await after(dialog(gate), "c", "o", "k", "ctrl+s")).answers == []
    app = await after(dialog(gate), "c", "o", "k", "ctrl+s", "y", "enter")
    assert [(a.action, a.text) for a in app.answers] == [(Action.PROVIDE_CONTEXT, "ok")]


async def test_a_denial_takes_an_optional_reason() -> None:
    app = await after(dialog(view()), "d", "enter")
    assert [(a.action, a.text) for a in app.answers] == [(Action.DENY, None)]
    app = await after(dialog(view()), "d", "n", "o", "enter")
    assert [(a.action, a.text) for a in app.answers] == [(Action.DENY, "no")]


async def test_letters_typed_into_a_form_are_no_decisions() -> None:
    app = Host(dialog(view()))
    async with app.run_test() as pilot:
        await pilot.press("c", *"admtX1")
        assert app.screen.query_one(TextArea).text == "admtX1"
        await pilot.press("escape", "c")
        await pilot.pause()
        assert app.screen.query_one(TextArea).text == "admtX1", "what was typed is kept"
        await pilot.press("ctrl+s")
    assert [(a.action, a.text) for a in app.answers] == [(Action.PROVIDE_CONTEXT, "admtX1")]


async def test_a_choice_has_its_number() -> None:
    choices = (Choice("q2", "April to June"), Choice("no", "Neither", "deny"))
    asked = view(BlockerKind.INPUT, choices=choices)
    app = await after(dialog(asked), "1")
    assert [(a.action, a.choice) for a in app.answers] == [(Action.PROVIDE_CONTEXT, "q2")]
    app = await after(dialog(asked), "2")
    assert [(a.action, a.choice) for a in app.answers] == [(Action.DENY, "no")]
    assert (await after(dialog(asked), "3")).answers == []


async def test_modify_sends_only_what_changed() -> None:
    what = view(detail=ASKED, task={"options": {"file": "a.csv", "window": 30}})
    app = Host(dialog(what))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("m")
        await pilot.pause()
        await pilot.press("ctrl+s")
        assert "Nothing is changed yet" in app.text()
        app.screen.query_one("#options", TextArea).text = 'file = "b.csv"'
        app.screen.query_one("#arguments", TextArea).text = '{"table": "billing", "rows": 5}'
        await pilot.press("ctrl+s")
    assert app.answers[0].data == {
        "options": {"file": "b.csv", "window": None},
        "arguments": {"table": "billing", "rows": 5},
    }


async def test_a_deadline_is_moved_given_and_taken_away() -> None:
    late = failed("It was not done by its deadline", deadline=NOW - 30)
    app = Host(dialog(late))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("m")
        await pilot.pause()
        field = app.screen.query_one("#deadline", Input)
        assert field.value == ""
        field.value = "soon"
        await pilot.pause()
        assert "`soon` is no deadline" in app.text()
        await pilot.press("ctrl+s")
        assert app.answers == []
        field.value = "3h"
        await pilot.press("ctrl+s")
    assert app.answers[0].data == {"deadline": NOW + 3 * 3600}
    app = Host(dialog(view(task={"deadline": NOW + 7200})))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("m")
        await pilot.pause()
        assert "changed alone, it leaves the question open" in app.text()
        await pilot.press("ctrl+s")
        assert "Nothing is changed yet" in app.text()
        app.screen.query_one("#deadline", Input).value = "none"
        await pilot.press("ctrl+s")
    assert app.answers[0].data == {"deadline": None}


async def test_a_mistake_in_a_change_is_said_while_typing_and_not_sent() -> None:
    app = Host(dialog(view(detail=ASKED)))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("m")
        await pilot.pause()
        app.screen.query_one("#arguments", TextArea).text = '{"table": '
        await pilot.pause()
        assert "Not valid JSON (line 1" in app.text()
        await pilot.press("ctrl+s")
    assert app.answers == []


async def test_work_is_given_to_an_agent_that_can_be_used() -> None:
    app = await after(dialog(failed()), "t", "down", "enter")
    assert [(a.action, a.agent) for a in app.answers] == [(Action.REASSIGN, "analyst")]
    app = await after(dialog(failed()), "t", "up", "enter")
    assert [a.agent for a in app.answers] == ["command"], "the last agent cannot be used"


async def test_taking_running_work_away_asks_first() -> None:
    running = view(None, Status.IN_PROGRESS, stage_status=StageStatus.RUNNING)
    assert (await after(dialog(running), "t", "down", "enter", "n")).answers == []
    app = await after(dialog(running), "t", "down", "enter", "y")
    assert [a.agent for a in app.answers] == ["analyst"]


async def test_an_initial_action_opens_its_form_but_approves_nothing() -> None:
    app = Host(dialog(view(), initial_action=Action.DENY))
    async with app.run_test() as pilot:
        await pilot.pause()
        assert isinstance(app.focused, Input)
    assert (await after(dialog(view(), initial_action=Action.APPROVE))).answers == []


async def test_a_question_answered_elsewhere_closes_and_says_so() -> None:
    app = Host(dialog(view()))
    async with app.run_test() as pilot:
        await pilot.pause()
        app.screen.close_because("Peter approved this [/nope]")
        await pilot.pause()
    assert app.answers == [None]
    assert app.said == ["Peter approved this [/nope]"]


async def test_text_being_typed_is_kept_when_somebody_else_was_faster() -> None:
    app = Host(dialog(view()))
    async with app.run_test() as pilot:
        await pilot.press("c", *"mind the gap".replace(" ", "_"))
        app.screen.close_because("Peter approved this")
        await pilot.press("ctrl+s")
        assert app.answers == []
        assert "Peter approved this" in app.text()
        assert "mind_the_gap" in app.text()
        await pilot.press("escape")
    assert app.answers == [None]


async def test_text_in_a_form_that_was_left_is_shown_when_somebody_else_was_faster() -> None:
    app = Host(dialog(view()))
    async with app.run_test() as pilot:
        await pilot.press("c", *"mind_it", "escape")
        app.screen.close_because("Peter approved this")  # type: ignore[attr-defined]
        await pilot.pause()
        assert app.answers == []
        assert "mind_it" in app.text()
        assert "Peter approved this" in app.text()
        await pilot.press("ctrl+y")
        assert app.clipboard == "mind_it"
        await pilot.press("escape")
    assert app.answers == [None]


async def test_an_editor_that_is_open_when_somebody_else_was_faster_keeps_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def edit(*_: Any) -> str:
        return await written

    monkeypatch.setattr(editor, "edit", edit)
    app = Host(dialog(view()))
    async with app.run_test() as pilot:
        await pilot.press("c")
        await pilot.press("ctrl+e")
        await pilot.pause()
        app.screen.close_because("Peter approved this")  # type: ignore[attr-defined]
        await pilot.pause()
        assert app.answers == [], "the dialog stays while the editor is open"
        written.set_result("mind the gap")
        await pilot.pause()
        assert "mind the gap" in app.text()
        assert "Peter approved this" in app.text()


async def test_hostile_text_is_only_text() -> None:
    what = view(
        BlockerKind.INPUT,
        question=HOSTILE,
        detail={"reason": HOSTILE, HOSTILE: {HOSTILE: HOSTILE}, "command": HOSTILE},
        choices=(Choice("a", HOSTILE),),
        task={"title": HOSTILE, "options": {"x": HOSTILE}},
    )
    app = Host(dialog(what, log_tail=[HOSTILE]))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert app.text().count("[@click=app.quit]x[/] [/nope]") >= 5
        assert "\x1b" not in app.text()
        await pilot.press("m")
        await pilot.pause()
        assert "\x1b" not in app.text()


async def test_rows_of_facts_are_read_as_words_and_arguments_stay_exact() -> None:
    holes = [{"instrument": "AAA", "days": ["2024-12-30", "2024-12-31"], "missing": 2}]
    app = await after(dialog(view(detail={"holes": holes, "arguments": [{"rows": 5}]})))
    for words in ("- instrument: AAA", "  days: 2024-12-30, 2024-12-31", '"rows": 5'):
        assert words in app.seen


@pytest.mark.parametrize("part", ["#body", "#about", "#actions", "#notice"])
async def test_what_comes_while_the_dialog_goes_part_by_part_finds_nothing_and_breaks_nothing(
    part: str,
) -> None:
    app = Host(dialog(view(detail=ASKED), awake=False))
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, DecisionScreen)
        await screen.query_one(part).remove()
        screen._fit()
        screen._show_keys()
        screen._tick()
        assert not screen.query(part)
