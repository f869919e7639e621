"""A screen is laid out for its size from the first time on: nothing is seen to move into place."""

import pytest
from play import Play
from textual.geometry import Size
from textual.screen import Screen

from taskhub_tui.domain.model import Status


@pytest.mark.parametrize(
    ("key", "screen", "size", "wanted"),
    [
        ("n", "NewTaskScreen", (80, 24), "-short"),
        ("n", "NewTaskScreen", (120, 36), "-tall"),
        ("a", "DecisionScreen", (80, 24), "-short"),
        ("i", "InboxScreen", (80, 24), "-narrow"),
        ("i", "InboxScreen", (120, 36), "-wide"),
        ("i", "InboxScreen", (200, 50), "-huge"),
        ("A", "AgentsScreen", (120, 36), "-wide"),
    ],
)
async def test_a_screen_is_never_laid_out_for_another_size(
    play: Play,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    screen: str,
    size: tuple[int, int],
    wanted: str,
) -> None:
    laid: list[bool] = []
    lay = Screen._refresh_layout

    def noted(self: Screen[object], size: Size | None = None, scroll: bool = False) -> None:
        if type(self).__name__ == screen and self.children:
            laid.append(self.has_class(wanted))
        lay(self, size, scroll)

    monkeypatch.setattr(Screen, "_refresh_layout", noted)
    async with play(*size, calm=True) as t:
        await t.given("Deploy", Status.BLOCKED, question="Go on?")
        await t.press(key)
        await t.is_on(screen)
        await t.until(lambda: bool(laid), "the screen being laid out")
    assert all(laid)
