"""Decisions that were taken and can still be taken back: they are sent a few seconds later."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import field
from typing import TypeAlias

from textual.app import App
from textual.timer import Timer

from taskhub_tui.domain.errors import AlreadyDecided, NotLegal, TaskHubError, UnknownTask
from taskhub_tui.domain.model import Action, Blocker, BlockerKind, Decision, Status, Task
from taskhub_tui.domain.rules import Rule, Scope
from taskhub_tui.domain.rules import words as rule_words
from taskhub_tui.domain.waiting import Case, case_of
from taskhub_tui.hub import Hub
from taskhub_tui.records import dataclass
from taskhub_tui.text import one_line
from taskhub_tui.tui.mistakes import where
from taskhub_tui.tui.theme import Glyphs
from taskhub_tui.tui.widgets.undo import UndoLine

log = logging.getLogger("taskhub.app")

_EVERY = 0.25
_AT_ONCE = 50
_UNSEEN = (Action.CANCEL, Action.RETRY)
"""What is not done to a task that has come to ask something which the person did not see."""

_DOING = {
    Action.APPROVE: ("Approving", "Approved", "approved"),
    Action.DENY: ("Denying", "Denied", "denied"),
    Action.PROVIDE_CONTEXT: ("Adding context", "Context added", "told more"),
    Action.MODIFY: ("Changing", "Changed", "changed"),
    Action.REASSIGN: ("Reassigning", "Reassigned", "reassigned"),
    Action.RETRY: ("Running again", "Runs again", "run again"),
    Action.CANCEL: ("Cancelling", "Cancelled", "cancelled"),
    None: ("Letting go on", "Goes on", "resumed"),
}
_ANSWER = ("Answering", "Answered", "answered")
_ALWAYS = ("Always allowing", "Approved, and always allowed", "approved")
_PAUSE = ("Pausing", "Paused", "paused")


@dataclass(frozen=True, slots=True)
class Always:
    """The rule that is made with an approval."""

    scope: Scope
    pattern: str | None = None
    """For commands, a wider one than the command that is proposed."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A decision about one task, with the question that the person saw."""

    task: Task
    blocker: Blocker | None
    decision: Decision | None
    """None lets a paused task go on."""
    pause: bool = False
    """It is to be held; then there is no decision."""
    aside: bool = False
    """It was done in the list and answers nothing, and no words that were typed about the task."""
    always: Always | None = None
    """It approves, and from now on all that such a rule allows."""

    @property
    def task_id(self) -> str:
        return self.task.id

    @property
    def title(self) -> str:
        """What it is about."""
        return self.task.title

    @property
    def key(self) -> object:
        """What two decisions have in common of which only one can be sent."""
        what = self.decision.action if self.decision is not None else self.pause
        return self.case or (self.task.id, what, self.aside and self.decision is not None)

    @property
    def case(self) -> Case | None:
        return None if self.aside else case_of(self.task, self.blocker)

    @property
    def words(self) -> tuple[str, str, str]:
        """What is being done, what was done, and the same in a count."""
        if self.pause:
            return _PAUSE
        if self.decision is None:
            return _DOING[None]
        if self.always is not None:
            return _ALWAYS
        if self.aside and (priority := self.decision.data.get("priority")):
            return f"Setting priority {priority}", f"Priority {priority}", "changed"
        asks = self.blocker is not None and self.blocker.kind is BlockerKind.INPUT
        if asks and self.decision.action is Action.PROVIDE_CONTEXT:
            return _ANSWER
        return _DOING[self.decision.action]


@dataclass(frozen=True, slots=True)
class Ended:
    """An always-allow rule that is to be revoked."""

    rule: Rule
    task_id: str = ""
    """It is about no task."""
    decision: None = None
    case: None = None
    aside: bool = True
    words: tuple[str, str, str] = ("Revoking", "Revoked", "revoked")

    @property
    def title(self) -> str:
        return rule_words(self.rule.scope, self.rule.value)

    @property
    def key(self) -> object:
        return "rule", self.rule.id


Part: TypeAlias = Taken | Ended


@dataclass(eq=False)
class Held:
    """One decision of a person, about one task or several, that is not sent yet."""

    parts: list[Part]
    due: float
    """When it is sent, by the sender's clock."""
    gone: list[str] = field(default_factory=list)
    """What became of those that were answered elsewhere meanwhile."""

    @property
    def doing(self) -> str:
        if len(self.parts) == 1:
            return f"{self.parts[0].words[0]}: {one_line(self.parts[0].title, 60)}"
        return f"{self.parts[0].words[0]}: {len(self.parts)} tasks"


class Sender:
    """Holds decisions while they can be taken back, then carries them to the hub."""

    def __init__(
        self,
        app: App[None],
        hub: Hub,
        glyphs: Glyphs,
        *,
        undone: Callable[[Held], None],
        settled: Callable[[], None],
        sent: Callable[[Part], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            undone: called with what was taken back.
            settled: called when something is held, sent or taken back.
            sent: called with each that the hub has taken.
        """
        self._app = app
        self._hub = hub
        self._glyphs = glyphs
        self._undone = undone
        self._settled = settled
        self._sent = sent
        self.monotonic = monotonic
        self.held: list[Held] = []
        self._under_way: list[Held] = []
        self._sending: set[asyncio.Task[None]] = set()
        """What is being sent; it goes on when the app is left."""
        self._timer: Timer | None = None

    @property
    def cases(self) -> set[Case]:
        """The questions that are decided already, but for the sending."""
        return {
            part.case
            for held in (*self.held, *self._under_way)
            for part in held.parts
            if part.case is not None
        }

    @property
    def task_ids(self) -> set[str]:
        """The tasks of all answers that are not sent yet."""
        return {
            part.task_id
            for held in (*self.held, *self._under_way)
            for part in held.parts
            if not part.aside
        }

    async def take(self, parts: Sequence[Part]) -> None:
        """Send these decisions when the time to take them back is over.

        A question that is decided already, but not sent yet, keeps the decision it has.
        """
        wait = self._hub.settings.undo
        known = {part.key for held in (*self.held, *self._under_way) for part in held.parts}
        new = [part for part in parts if part.key not in known]
        held = Held(new, self.monotonic() + wait)
        if not held.parts:
            if parts:
                self._say("You have decided that already; undo takes it back")
            return
        if wait <= 0:
            await self._send(held)
            return
        self.held.append(held)
        if self._timer is None:
            self._timer = self._app.set_interval(_EVERY, self.tick)
        self._news()

    async def turn(self, part: Taken) -> None:
        """Send something done aside later; the opposite, or another value, takes the first's place.

        Who lets go on what is only about to be paused wants nothing sent at all.
        """
        before = self._aside(part)
        if before is None:
            await self.take([part])
        elif part.decision is None:
            self.undo(before)
        else:
            self.held.remove(before)
            await self.take([part])

    def _aside(self, part: Taken) -> Held | None:
        """Return what is held of the same kind for the same task alone."""
        for held in self.held:
            match held.parts:
                case [Taken() as one] if one.aside and one.task.id == part.task.id:
                    if (one.decision is None) is (part.decision is None):
                        return held
        return None

    def undo(self, held: Held | None = None) -> None:
        """Take back `held`, or the last decision."""
        if held is None and self.held:
            held = self.held[-1]
        if held is None or held not in self.held:
            return
        self.held.remove(held)
        self._news()
        self._undone(held)

    def tick(self) -> None:
        """Send what is due, and count down the rest."""
        now = self.monotonic()
        for held in [held for held in self.held if held.due <= now]:
            self.held.remove(held)
            self._under_way.append(held)
            task = asyncio.create_task(self._deliver(held), name="send a decision")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            self._show_keys()
        self.show()

    async def _deliver(self, held: Held) -> None:
        try:
            await self._send(held)
        except Exception as error:
            # A mistake of ours: the person must not believe that it was sent.
            log.exception("a decision was not sent")
            self._say(f"Not sent ({type(error).__name__}): {held.doing}{where(self._app)}")
            self._news()

    async def flush(self) -> list[str]:
        """Send everything at once; return what could not be done, in sentences."""
        wrong: list[str] = []
        await asyncio.gather(*self._sending, return_exceptions=True)
        while self.held:
            held = self.held.pop(0)
            wrong += await self._send(held, quiet=True)
        return wrong

    async def follow(
        self,
        changed: Iterable[Task],
        settled_by: Callable[[Task, Blocker | None], Awaitable[str | None]],
    ) -> None:
        """Give up what was settled elsewhere meanwhile, and say so.

        Args:
            settled_by: an async function that returns who settled a question, None if nobody did.
        """
        ids = {task.id for task in changed}
        for held in [*self.held]:
            for part in [one for one in held.parts if isinstance(one, Taken)]:
                if part.task.id not in ids:
                    continue
                said = await settled_by(part.task, part.blocker)
                if said is None or held not in self.held:
                    continue
                held.parts.remove(part)
                held.gone.append(said)
                if not held.parts:
                    self.held.remove(held)
                text = part.decision is not None and part.decision.text
                kept = " Your text is kept for the task's next question." if text else ""
                self._say(f"{said}. Your decision was not sent.{kept}")
        self._news()

    def show(self) -> None:
        """Show on the screen in front what can be taken back."""
        if not self.held and self._timer is not None:
            self._timer.stop()
            self._timer = None
        now = self.monotonic()
        lines = [(held, held.doing, max(1, round(held.due - now))) for held in self.held]
        UndoLine.show_on(self._app, lines, self.undo, self._glyphs)

    def _news(self) -> None:
        if not self._app.screen_stack:
            return  # The app has ended.
        self.show()
        self._show_keys()
        self._settled()

    def _show_keys(self) -> None:
        # Under a dialog too the last line says whether the last decision can be taken back.
        for screen in self._app.screen_stack:
            screen.refresh_bindings()

    async def _send(self, held: Held, *, quiet: bool = False) -> list[str]:
        """Carry the decisions to the hub; each is refused alone. Return what went wrong."""
        if held not in self._under_way:
            self._under_way.append(held)
        done: list[Part] = []
        late: list[str] = [*held.gone]
        wrong: list[str] = []
        parts = [*held.parts]
        several = len(parts) > 1
        try:
            # Some at a time, so that they share commits and others have their turn in between.
            for start in range(0, len(parts), _AT_ONCE):
                some = parts[start : start + _AT_ONCE]
                sent = await asyncio.gather(*map(self._send_one, some), return_exceptions=True)
                for part, error in zip(some, sent, strict=True):
                    match error:
                        case None:
                            done.append(part)
                            self._sent(part)
                        case NotLegal() | UnknownTask():
                            late.append(self._about(part, str(error), several))
                        case TaskHubError():
                            hint = f"\n{error.hint}" if error.hint else ""
                            wrong.append(self._about(part, f"{error}{hint}", several))
                        case Exception():
                            # A mistake of ours; the others are sent all the same.
                            log.error("a decision was not sent", exc_info=error)
                            said = f"Not sent ({type(error).__name__})"
                            wrong.append(self._about(part, said, several))
                        case _:
                            raise error
        finally:
            self._under_way.remove(held)
        if not quiet:
            self._report(parts, done, late, wrong)
            self._news()
        return [*late, *wrong]

    async def _send_one(self, part: Part) -> None:
        if isinstance(part, Ended):
            await self._hub.revoke(part.rule.id)
            return
        task, blocker, decision = part.task, part.blocker, part.decision
        if decision is None:
            await (self._hub.pause(task.id) if part.pause else self._hub.resume(task.id))
            return
        if blocker is None and decision.action in _UNSEEN:
            now = await self._hub.status(task.id)
            if now.blocker is not None:
                raise AlreadyDecided("It asks something by now", "Look at it first")
        if blocker is None and task.status is Status.FAILED:
            now = await self._hub.status(task.id)
            if case_of(now.task, now.blocker) != part.case:
                raise AlreadyDecided("It is not the failure that you saw", "Look at it again")
        if part.always is not None and blocker is not None:
            await self._hub.always(
                task.id,
                part.always.scope,
                pattern=part.always.pattern,
                blocker_id=blocker.id,
                version=blocker.version,
            )
            return
        await self._hub.decide(
            task.id,
            decision.action,
            text=decision.text,
            choice=decision.choice,
            data=decision.data,
            agent=decision.agent,
            blocker_id=blocker.id if blocker else None,
            version=blocker.version if blocker else None,
        )

    @staticmethod
    def _about(part: Part, said: str, several: bool) -> str:
        return f"{one_line(part.title, 40)}: {said}" if several else said

    def _report(
        self, parts: Sequence[Part], done: list[Part], late: list[str], wrong: list[str]
    ) -> None:
        several = len(done) + len(late) + len(wrong) > 1
        if not several and done:
            self._app.notify(
                f"{done[0].words[1]}: {one_line(done[0].title, 60)}", timeout=3, markup=False
            )
            return
        if not several:
            for said in (*late, *wrong):
                self._say(said)
            return
        words = [f"{len(done)} {done[0].words[2]}"] if done else []
        if late:
            were = "was" if len(late) == 1 else "were"
            asked = all(isinstance(one, Taken) and one.blocker is not None for one in parts)
            words.append(f"{len(late)} {were} {'answered elsewhere' if asked else 'faster'}")
        if wrong:
            words.append(f"{len(wrong)} could not be done")
        said = "\n".join([", ".join(words), *wrong[:3]])
        bad = "warning" if wrong or late else "information"
        self._app.notify(said, severity=bad, timeout=6, markup=False)  # type: ignore[arg-type]

    def _say(self, sentence: str) -> None:
        self._app.notify(sentence, severity="warning", timeout=8, markup=False)
