"""The form for a new task. It builds a NewTask and returns it; the app hands it over."""

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Select, TextArea

from taskhub_tui.domain.again import again
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import NewTask, Priority, Status
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.handing import Draft
from taskhub_tui.tui.screens import new_task_fields as form
from taskhub_tui.tui.screens.new_task_look import NO_DEADLINE, AfterInput, NewTaskLook
from taskhub_tui.tui.screens.pick_task import PickTaskScreen
from taskhub_tui.tui.widgets import values
from taskhub_tui.tui.widgets.ask import Ask
from taskhub_tui.tui.widgets.path_input import PathInput
from taskhub_tui.tui.widgets.plain import Keys, Plain
from taskhub_tui.tui.widgets.stage_plan import StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from taskhub_tui.domain.delegation import Ranked
    from taskhub_tui.domain.model import StageSpec

WAITED_FOR = tuple(status for status in Status if not status.over)
"""What a new task may come after; what is over already needs no waiting for."""
PAUSE = 0.15
"""Seconds without a key before the preview is made anew."""


class NewTaskScreen(NewTaskLook):
    """Asks what is to be done, by whom, with what, and when; None when the person leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("form")]

    def __init__(
        self,
        hub: Hub,
        *,
        workdir: str,
        initial: NewTask | None = None,
        draft: Draft | None = None,
    ) -> None:
        """
        Args:
            workdir: folder, perhaps with `~`, to work in unless the person names another.
            initial: what the form holds at first, such as a task to do again.
            draft: keeps what was typed when the person leaves; what it holds goes before
                `initial`.
        """
        super().__init__()
        self._hub = hub
        self._initial = initial
        self._workdir = workdir
        self._draft = draft or Draft()
        self._first = form.fields_of(initial, workdir)
        self._back = self._draft.fields is not None
        if self._back and self._draft.fields is not None:
            self._first, self._initial = self._draft.fields, self._draft.initial
        self._then: Callable[[], None] | None = None
        self._timer: Timer | None = None
        self._tried = False
        self._touched: set[str] = set()
        self._was: Widget | None = None

    def on_mount(self) -> None:
        keys = [
            ("form.submit", "hand over"),
            ("tab", "next field"),
            ("form.template", "past tasks"),
            ("form.edit", "editor"),
            ("form.leave", "leave"),
        ]
        if self._back:
            keys.insert(-1, ("form.afresh", "start afresh"))
            self.app.notify("What you had typed is back", timeout=3, markup=False)
        self.query_one("#keys", Keys).show(keys, main="form.submit")
        self._preview()

    # What is typed

    def fields(self) -> form.Fields:
        """Return the form as it stands."""
        return form.Fields(
            request=self.query_one("#request", TextArea).text,
            who=str(self.query_one("#who", Select).value),
            file=self.query_one("#file", Input).value,
            command=self.query_one("#command", Input).value,
            asks=tuple((*stage, *asked) for stage, asked in self.query_one(StagePlan).asks.items()),
            when=self.query_one("#when", Input).value,
            priority=self._priority(),
            folder=self.query_one("#folder", Input).value,
            after=self.query_one("#after", Input).value,
            deadline=self.query_one("#deadline", Input).value,
            habit=str(self.query_one("#habit", Select).value),
            options=self.query_one("#options", TextArea).text,
        )

    def _priority(self) -> int:
        chosen = self.query_one("#priority", Select).value
        return chosen if isinstance(chosen, int) else Priority.NORMAL

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Select.Changed)
    @on(StagePlan.Changed)
    def _changed(self, event: Message) -> None:
        if event.control is not None and event.control.id:
            self._touched.add(event.control.id)
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, self._preview)

    @on(Input.Submitted)
    def _next(self) -> None:
        self.focus_next()

    def _preview(self) -> None:
        """Show who would do it in which stages, and what is wrong so far."""
        if not self.query("#keys"):
            return  # Closed before its turn came.
        fields = self.fields()
        made = form.make(fields, self._hub, self._playbooks, self._initial)
        self._rank(form.ranking(fields, self._hub) if fields.request.strip() else [])
        why = form.best(self._ranked) if fields.who == form.BEST and fields.request else ""
        self.query_one("#why", Plain).update(Content(why))
        self.query_one("#why").display = bool(why)
        self.query_one(StagePlan).show(made.plan)
        starts = form.when_words(fields, self._hub.clock())
        self.query_one("#starts", Plain).update(Content(starts))
        self.query_one("#starts").display = bool(starts)
        look = partial(self._look_up, made.plan, fields)
        start(self, look, group="look up", exclusive=True)
        usual = form.usual_deadline(fields, self._playbooks)
        self.query_one("#deadline", Input).placeholder = (
            f"{values.write_span(usual)} from its start, by the playbook · none · 18:00"
            if usual
            else NO_DEADLINE
        )
        for option in ("file", "command"):
            known = "argv" if option == "command" else option
            shown = form.takes(fields, self._hub, known) or bool(getattr(fields, option).strip())
            self.query_one(f"#row-{option}").display = shown
        self._say(dict(made.problems))
        self.call_after_refresh(self._fit)

    def _rank(self, ranked: "list[Ranked]") -> None:
        """Put the agents in the order of the ranking, unless the list is open."""
        select = self.query_one("#who", Select)
        old = [(one.card.name, one.why) for one in self._ranked]
        if select.expanded or old == [(one.card.name, one.why) for one in ranked]:
            return
        self._ranked = ranked
        chosen = select.value
        with self.prevent(Select.Changed), select.prevent(Select.Changed):
            select.set_options(self._choices())
            select.value = chosen

    async def _look_up(self, plan: "Sequence[StageSpec]", fields: form.Fields) -> None:
        """Show what the hub knows: how long the stages take, and which tasks are meant."""
        try:
            times = await self._hub.expected(plan, form.all_options(fields))
            words = await self._others(fields.after)
        except TaskHubError as error:
            self.app.notify(str(error), severity="warning", markup=False)
            return
        self.query_one(StagePlan).expect(times)
        self.query_one("#others", Plain).update(Content(words))
        self.query_one("#others").display = bool(words)
        self.call_after_refresh(self._fit)

    async def _others(self, typed: str) -> str:
        lines = []
        for word in typed.replace(",", " ").split():
            try:
                task = (await self._hub.status(await self._hub.find(word))).task
                lines.append(one_line(f"{task.id}  {task.title}", 80))
            except TaskHubError:
                fits = await self._hub.latest(text=word, status=WAITED_FOR, limit=3)
                some = ", ".join(one_line(task.title, 30) for task in fits)
                lines.append(
                    f"{self._picks} picks one: {some}"
                    if some
                    else f"no task fits {one_line(word, 30)}"
                )
        return "\n".join(lines[-4:])

    @on(PathInput.Found)
    def _paths(self, event: PathInput.Found) -> None:
        for line in self.query(f"#found-{event.field.id}").results(Plain):
            rows = []
            for at, path in enumerate(event.paths):
                style = "bold $foreground on $cursor" if at == event.chosen else "$muted"
                row = Content.styled(path, style)
                rows.append(row.stylize(Style.from_meta({"path": path, "field": event.field.id})))
            if event.more:
                rows.append(Content.styled(f"and {event.more:,} more", "$muted"))
            line.update(Content("\n").join(rows))
            line.set_class(bool(rows), "-some")
        self.call_after_refresh(self._fit)

    def on_click(self, event: events.Click) -> None:
        path = event.style.meta.get("path")
        if path is not None:
            field = self.query_one(f"#{event.style.meta['field']}", PathInput)
            field.take(path)
            field.focus()

    # Other ways to fill it

    @on(AfterInput.Wanted)
    def _pick_after(self, event: "AfterInput.Wanted") -> None:
        word = event.word
        picker = PickTaskScreen(
            self._hub, title="After which task?", status=WAITED_FOR, text=word, glyphs=self._glyphs
        )

        def picked(task_id: str | None) -> None:
            if task_id is not None:
                field = self.query_one("#after", Input)
                kept = field.value.removesuffix(word).rstrip()
                field.value = f"{kept} {task_id}".strip()
                field.cursor_position = len(field.value)

        self.app.push_screen(picker, picked)

    def action_template(self) -> None:
        picker = PickTaskScreen(self._hub, title="Fill the form from", glyphs=self._glyphs)

        def picked(task_id: str | None) -> None:
            if task_id is not None:
                start(self, partial(self._copy, task_id))

        self.app.push_screen(picker, picked)

    async def _copy(self, task_id: str) -> None:
        try:
            new = again(await self._hub.status(task_id))
        except TaskHubError as error:
            self.app.notify(str(error), severity="warning", markup=False)
            return
        fill = partial(self.fill, form.fields_of(new, self._workdir), new)
        if self.fields() == self._first:
            fill()
        else:
            self._ask("Replace what you typed? y replaces it, any other key keeps it", fill)

    def action_afresh(self) -> None:
        def empty() -> None:
            self._draft.clear()
            self.fill(form.fields_of(None, self._workdir), None)

        self._ask("Empty the form? y empties it, any other key keeps it", empty)

    def fill(self, fields: form.Fields, initial: NewTask | None) -> None:
        """Put these into the form in the place of what it holds."""
        self._initial, self._first = initial, fields
        self._tried, self._touched = False, set()
        self.query_one("#request", TextArea).text = fields.request
        self.query_one("#options", TextArea).text = fields.options
        for name in ("file", "command", "when", "folder", "after", "deadline"):
            self.query_one(f"#{name}", Input).value = getattr(fields, name)
        select = self.query_one("#who", Select)
        with select.prevent(Select.Changed):
            select.set_options(self._choices())
            if fields.who not in [value for _, value in self._choices()]:
                missing = Content(one_line(f"{fields.who.partition(':')[2]} (not installed)"))
                select.set_options([*self._choices(), (missing, fields.who)])
            select.value = fields.who
        self.query_one("#priority", Select).value = Priority(fields.priority)
        self.query_one("#habit", Select).value = fields.habit
        plan = self.query_one(StagePlan)
        plan.asks.clear()
        self._preview()
        self.query_one("#request").focus()

    def action_edit(self) -> None:
        start(self, self._edit)

    async def _edit(self) -> None:
        from taskhub_tui.tui.editor import edit

        focused = self.focused
        field = focused if isinstance(focused, TextArea) else self.query_one("#request", TextArea)
        suffix = ".toml" if field.id == "options" else ".md"
        made = await edit(self.app, field.text, suffix)
        if made is not None:
            field.text = made

    def _say(self, problems: dict[str, str]) -> None:
        """Show the sentences; an empty field is no mistake before somebody tried to send."""
        for line in self.query(".problem").results(Plain):
            name = (line.id or "").removeprefix("problem-")
            sentence = problems.get(name, "")
            quiet = not self._tried and (name in ("request", "command") or not self._typed(name))
            line.update(Content(sentence))
            line.set_class(bool(sentence) and not quiet, "-said")

    def _typed(self, name: str) -> bool:
        # Nobody is an obvious fit for half a sentence: that is said in the preview's own time.
        return name in self._touched or (name == "who" and "request" in self._touched)

    # Sending and leaving

    async def action_submit(self) -> None:
        self._tried = True
        made = form.make(self.fields(), self._hub, self._playbooks, self._initial)
        problems = dict(made.problems)
        for prefix in made.new.after if made.new is not None else ():
            try:
                await self._hub.find(prefix)
            except TaskHubError as error:
                problems["after"] = str(error)
        if made.new is not None and not problems:
            self._keep()
            self.dismiss(made.new)
            return
        self._preview()
        self._say(problems)
        first = next(
            iter(
                self.query("TextArea, Input, Select").filter(
                    ", ".join(f"#{name}" for name in problems)
                )
            ),
            None,
        )
        if first is not None:
            first.focus()

    def _keep(self) -> None:
        self._draft.fields, self._draft.initial = self.fields(), self._initial

    def action_leave(self) -> None:
        if self.fields() == self._first:
            self.dismiss(None)
            return

        def leave() -> None:
            self._keep()
            self.dismiss(None)

        self._ask("Leave? What you typed is kept. y leaves, any other key stays", leave)

    def _ask(self, question: str, then: "Callable[[], None]") -> None:
        self._was, self._then = self.focused, then
        self.query_one(Ask).ask(question)
        self.call_after_refresh(self._fit)

    @on(Ask.Answered)
    def _answered(self, event: Ask.Answered) -> None:
        event.stop()
        then, self._then = self._then, None
        if event.yes and then is not None:
            then()
        elif self._was is not None:
            self._was.focus()
        self.call_after_refresh(self._fit)

    @on(Keys.Pressed)
    async def _clicked(self, event: Keys.Pressed) -> None:
        event.stop()
        match event.key:
            case "form.submit":
                await self.action_submit()
            case "tab":
                self.focus_next()
            case "form.template":
                self.action_template()
            case "form.edit":
                self.action_edit()
            case "form.afresh":
                self.action_afresh()
            case _:
                self.action_leave()
