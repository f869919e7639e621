"""A question or a failure in full: which task, what is asked, and all that is known about it."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll

from taskhub_tui.domain.model import TaskView
from taskhub_tui.tui.screens import decision_words as words
from taskhub_tui.tui.widgets.plain import Plain


class CaseText(VerticalScroll):
    """Scrolls; shows everything uncut, and none of it as markup."""

    DEFAULT_CSS = """
    CaseText {
        height: auto; scrollbar-size-vertical: 1; scrollbar-color: $faint;
        Plain { height: auto; }
        #asked { margin: 1 0; }
        #facts { height: auto; }
        .fact { height: auto; }
        .name { color: $muted; }
        .value { width: 1fr; }
        .block { padding: 0 0 0 2; margin-bottom: 1; }
        .block:last-child { margin-bottom: 0; }
    }
    """

    def __init__(
        self,
        view: TaskView | None = None,
        now: float = 0.0,
        log_tail: Sequence[str] = (),
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._view = view
        self._now = now
        self._log_tail = log_tail
        self._lines = words.LOG_LINES

    def compose(self) -> ComposeResult:
        yield Plain(id="about")
        yield Plain(id="asked")
        yield Vertical(*self._facts(), id="facts")

    def on_mount(self) -> None:
        if self._view is not None:
            self.tick(self._now)

    async def show(self, view: TaskView, now: float, log_tail: Sequence[str] = ()) -> None:
        """Show another one."""
        self._view, self._now, self._log_tail = view, now, log_tail
        self.tick(now)
        await self._fill()

    async def _fill(self) -> None:
        facts = self.query_one("#facts")
        with self.app.batch_update():
            await facts.remove_children()
            await facts.mount(*self._facts())

    def tick(self, now: float) -> None:
        """Say how long it waits by now."""
        # What is about to be removed goes part by part.
        if self._view is not None and len(self.query("#about, #asked")) == 2:
            self.query_one("#about", Plain).update(words.about(self._view, now))
            self.query_one("#asked", Plain).update(words.asked(self._view, now))

    async def enlarge(self) -> None:
        """Show more of the log, or less again, and its end."""
        more = self._lines == words.LOG_LINES
        self._lines = len(self._log_tail) if more else words.LOG_LINES
        await self._fill()
        if more:
            self.call_after_refresh(self.scroll_end, animate=False)

    @property
    def has_more_log(self) -> bool:
        return len(self._log_tail) > words.LOG_LINES

    def _facts(self) -> list[Plain | Horizontal]:
        if self._view is None:
            return []
        found = words.facts(self._view, self._now, self._log_tail[-self._lines :])
        wide = min(18, max((len(fact.label) for fact in found if not fact.block), default=0)) + 2
        shown: list[Plain | Horizontal] = []
        for fact in found:
            if not fact.block:
                name = Plain(fact.label, classes="name")
                name.styles.width = wide
                shown.append(Horizontal(name, Plain(fact.text, classes="value"), classes="fact"))
                continue
            if fact.label:
                shown.append(Plain(fact.label, classes="name"))
            shown.append(Plain(fact.text, classes="block"))
        return shown
