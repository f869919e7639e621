"""The app as a person uses it, in the words of `play`."""

import pytest
from play import Play
from scenes import question
from support import ScriptedAgent

from taskhub_tui.agents.port import Blocker, BlockerKind, Result, Stage, StageContext
from taskhub_tui.domain.model import Status
from taskhub_tui.tui.screens.decision import DecisionScreen


async def test_a_failed_task_is_tried_again_from_its_dialog(play: Play) -> None:
    async with play(120, 36) as t:
        await t.given("Audit licences")
        task = await t.given("Nightly report", Status.FAILED, error="No space left")
        await t.sees("✗ Failed", "No space left")
        await t.decides("r")
        await t.stands(task, Status.PENDING)
        await t.does_not_see("✗ Failed")


async def test_the_cursor_stays_on_its_row_and_the_row_on_its_line(play: Play) -> None:
    async with play(80, 24) as t:
        for name in ("Rotate keys", "Nightly report", "Audit licences"):
            await t.given(name, Status.PAUSED)
        await t.press("g")
        await t.row("Audit").is_above("Nightly")
        await t.press("j")
        await t.row("Nightly").is_under_cursor()
        await t.given("Newer", Status.PAUSED)
        await t.sees("1 new ↑")
        await t.row("Newer").is_not_there()
        await t.row("Nightly").is_under_cursor()
        await t.press("g")
        await t.row("Newer").is_under_cursor()


async def test_ages_follow_the_clock_of_the_hub(play: Play) -> None:
    async with play(80, 24) as t:
        await t.given("Nightly report", Status.PAUSED)
        await t.press("g")
        await t.row("Nightly").is_there()
        await t.later(3 * 3600)
        await t.row("Nightly").says("3h00")


async def test_a_question_of_an_engine_at_work_is_answered_by_one_key(play: Play) -> None:
    async def ask(stage: Stage, ctx: StageContext) -> Result:
        await ctx.ask(Blocker("may", BlockerKind.APPROVAL, "Shall I really?"))
        return Result("It is done now")

    async with play(120, 36, engine=True, agents=(ScriptedAgent("actor", ask),)) as t:
        task = await t.hands_over("Do it", agent="actor")
        await t.sees("Shall I really?")
        await t.decides("a")
        await t.stands(task, Status.COMPLETED)
        await t.sees("1 done", "It is done now")


async def test_what_does_not_come_true_is_said_with_the_screen(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("play.PATIENCE", 0.2)
    async with play(80, 24) as t:
        with pytest.raises(AssertionError, match=r"showing \('No such words',\)[\s\S]*walk away"):
            await t.sees("No such words")
        with pytest.raises(AssertionError, match="a row with 'Nightly'"):
            await t.row("Nightly").is_there()


async def test_two_quick_clicks_on_a_choice_answer_once(play: Play) -> None:
    async with play(100, 36, before=question) as t:
        await t.waits_for_the_dialog()
        dialog = t.app.screen
        assert isinstance(dialog, DecisionScreen)
        dialog.action_choose(0)
        dialog.action_choose(1)
        await t.sees("Answered: Rotate staging")
