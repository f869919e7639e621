"""The user's own keys: read, checked, and shown wherever keys are shown."""

from dataclasses import replace

import pytest
from hubs import Seed, asleep, text, until

from taskhub_tui import config
from taskhub_tui.config import Paths
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import Status
from taskhub_tui.hub import Hub
from taskhub_tui.tui import keymap
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.widgets.detail import Detail


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("l", "l"),
        ("L", "L"),
        ("shift+l", "L"),
        ("?", "question_mark"),
        ("question_mark", "question_mark"),
        ("Esc", "escape"),
        ("PgDn", "pagedown"),
        ("shift+ctrl+Left", "ctrl+shift+left"),
        ("ctrl++", "ctrl+plus"),
        ("+", "plus"),
        (",", "comma"),
        ("alt+x", "alt+x"),
        ("F12", "f12"),
        ("é", "é"),
    ],
)
def test_keys_may_be_written_as_people_write_them(given: str, name: str) -> None:
    assert keymap.normal(given) == name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("entr", "`entr` is not a key; do you mean `enter`?"),
        ("cntrl+x", "`cntrl` is not one of alt, ctrl"),
        ("ctrl+i", "sends `ctrl+i` as `tab`"),
        ("ctrl+[", "sends `ctrl+[` as `escape`"),
        (" ", "a key has no name"),
    ],
)
def test_a_key_that_cannot_be_is_said_why(given: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        keymap.normal(given)
    assert said in str(error.value)


def test_what_is_wrong_is_said_and_the_rest_holds() -> None:
    found = keymap.read({"task.opne": ["x"], "task.copy": ["entr"], "task.open": ["l", "enter"]})
    assert found.own == {"task.open": ("l", "enter")}
    first, second = found.problems
    assert first.startswith("`task.opne` is not an action; do you mean `task.open`")
    assert second.startswith("`task.copy`: `entr` is not a key")


def test_two_meanings_of_a_key_in_one_place_are_named() -> None:
    (said,) = keymap.read({"task.copy": ["a"]}).problems
    assert said == (
        "`a` is the key of both `task.decide` and `task.copy` with the task under the cursor"
    )
    (said,) = keymap.read({"inbox.read_all": ["?"]}).problems
    assert "`inbox.read_all`" in said
    assert "`hub.help`" in said
    assert said.endswith("in the inbox")
    assert keymap.read({"task.decide": ["y"], "task.copy": ["a"]}).problems == ()
    assert keymap.read({"form.submit": ["ctrl+g"], "decision.later": ["ctrl+g"]}).problems == ()


def test_the_settings_take_a_key_a_list_or_nothing(where: Paths) -> None:
    where.config.write_text('[keys]\n"a.b" = "l"\n"c.d" = ["x", "y"]\n"e.f" = ""\n"g.h" = []\n')
    assert config.settings(where).keys == {
        "a.b": ("l",),
        "c.d": ("x", "y"),
        "e.f": (),
        "g.h": (),
    }
    where.config.write_text("[keys]\ntask.open = 3\n")
    with pytest.raises(BadInput, match=r"`keys.task` must be a key or a list"):
        config.settings(where)


async def app_with(hub: Hub, **keys: tuple[str, ...]) -> TaskHubApp:
    table = {name.replace("__", "."): value for name, value in keys.items()}
    hub.settings = replace(hub.settings, keys=table)
    return TaskHubApp(hub, services=[asleep])


async def test_an_action_has_the_keys_the_user_gives_it_and_no_others(hub: Hub, seed: Seed) -> None:
    task = await seed.put("Long one", names=("a", "b"))
    app = await app_with(hub, task__copy=("Y",), task__pause=("ctrl+y", "P"), list__down=())
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: app.query_one(Detail).view is not None)
        await pilot.press("y")
        assert app.clipboard == ""
        await pilot.press("Y")
        assert app.clipboard == task.id
        await pilot.press("p")
        await pilot.press("P")
        await until(pilot, lambda: "1 paused" in text(app))
        await pilot.press("ctrl+y")
        await until(pilot, lambda: "1 queued" in text(app))


async def test_keys_can_be_swapped(hub: Hub, seed: Seed) -> None:
    await seed.put("Older")
    await seed.put("Newer")
    app = await app_with(hub, list__down=("k",), list__up=("j",))
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        table = app.screen.table
        await until(pilot, lambda: len(table) == 2)
        await pilot.press("k")
        assert table.cursor == 1
        await pilot.press("j")
        assert table.cursor == 0


async def test_footer_help_and_palette_show_the_users_keys(hub: Hub, seed: Seed) -> None:
    await seed.put("Long one", Status.PAUSED)
    app = await app_with(hub, hub__new=("N",), hub__help=("f2",), hub__inbox=(), task__copy=())
    async with app.run_test(size=(200, 50), notifications=True) as pilot:
        await until(pilot, lambda: "N New" in text(app).splitlines()[-1])
        last = text(app).splitlines()[-1]
        assert "f2 Help" in last
        assert "Inbox" not in last
        await pilot.press("question_mark")
        assert len(app.screen_stack) == 1
        await pilot.press("f2")
        await pilot.press("slash", *"hand over", "enter")
        await until(pilot, lambda: "N                 Hand over a new task" in text(app))
        await pilot.press("f2")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.press("ctrl+p")
        await pilot.press(*"copy")
        await until(pilot, lambda: "Copy what is selected" in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.clipboard != "")


async def test_the_footers_keys_can_be_clicked(hub: Hub, seed: Seed) -> None:
    await seed.put("Long one")
    app = await app_with(hub, hub__help=("f2",))
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        # Until the task is there, keys are still added to the line.
        await until(pilot, lambda: "f Follow" in text(app).splitlines()[-1])
        await pilot.click(offset=(text(app).splitlines()[-1].index("f2 Help") + 3, 29))
        await until(pilot, lambda: len(app.screen_stack) == 2)


async def test_keys_of_a_dialog_can_be_changed_too(hub: Hub, seed: Seed) -> None:
    task = await seed.put("Deploy", Status.BLOCKED, question="May I?")
    app = await app_with(hub, decision__approve=("ctrl+o",), decision__later=("x",))
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: "ctrl+o approve" in text(app))
        assert "x decide later" in text(app)
        await pilot.press("escape")
        await pilot.press("a")
        assert len(app.screen_stack) == 2
        await until(pilot, lambda: app.screen._awake)
        await pilot.press("ctrl+o")

        async def approved() -> bool:
            return (await seed.now(task)).status is not Status.BLOCKED

        await until(pilot, approved)


async def test_a_clash_is_said_and_the_app_can_be_used(hub: Hub, seed: Seed) -> None:
    await seed.put("Long one")
    app = await app_with(hub, task__copy=("n",), no__such=("x",))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "`no.such` is not an action" in text(app))
        shown = " ".join(text(app).replace("▌", " ").replace("▏", " ").split())
        assert "`n` is the key of both `task.copy` and `hub.new`" in shown
        await pilot.press("q")


def test_with_ascii_an_arrow_is_a_word_and_not_a_letter() -> None:
    drawn = replace(keymap.read({"task.open": ["down"]}), ascii=True)
    assert drawn.shown("task.open") == "down"
    assert drawn.shown("list.down") == "j down"
    assert drawn.shown("list.up") == "k up"
    assert keymap.PLAIN.shown("list.down") == "j ↓"
