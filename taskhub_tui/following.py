"""What a completed task could be followed by: in words, and started from outside of the app."""

import json
from collections.abc import Sequence

from taskhub_tui import config
from taskhub_tui.config import Paths
from taskhub_tui.domain.change import Notice
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import NewTask, NoticeKind, Task
from taskhub_tui.domain.reported import follow_ups, next_task
from taskhub_tui.planning import Planner
from taskhub_tui.storage import changes, queries, submissions
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx


class Onward:
    """Knows what the agents suggest to do next, and hands it over."""

    def __init__(self, planner: Planner, paths: Paths) -> None:
        self._planner = planner
        self._paths = paths

    def words(self, reader: Reader, task: Task) -> Sequence[tuple[str, str]]:
        """Return for each suggestion its title, and all that would be handed over."""
        return [(new.title or "", _whole(new)) for new in self._suggested(reader, task)]

    def start(
        self, tx: Tx, task: Task, number: int, now: float, *, owner: str, channel: str
    ) -> Task:
        """Hand over the suggestion with this number, counted from 1, and return the new task.

        Raises:
            BadInput: there is none, or it cannot be done any more.
        """
        suggested = self._suggested(tx, task)
        if not 0 < number <= len(suggested):
            raise BadInput("This is not suggested any more", "The app shows what is")
        new, stages = self._planner.make(suggested[number - 1], owner, now)
        notice = Notice(NoticeKind.ACKNOWLEDGED, new.title, f"It follows “{task.title}”")
        new = submissions.insert(tx, new, stages, [], notice)
        config.make_private(self._paths.task(new.id))
        told = {"task": new.id, "title": new.title}
        changes.add_event(tx, task.n, now, "followed", None, owner, channel, told)
        return new

    def _suggested(self, reader: Reader, task: Task) -> Sequence[NewTask]:
        view = queries.view(reader, task.id)
        agents = [card.name for card in self._planner.agents()]
        return [next_task(view, one, agents) for one in follow_ups(view.stages)]


def _whole(new: NewTask) -> str:
    """Return a task that may be handed over in words; nothing of it is cut."""
    lines = [new.request, f"agent: {new.agent or 'the best fit'}", f"folder: {new.workdir}"]
    lines += [
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in new.options.items()
    ]
    return "\n".join(lines)
