"""Every key of the app: one list that feeds the bindings, the footer, the palette and the help."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding

from taskhub_tui.domain.model import Action

Where = Literal["list", "task", "view", "scroll", "hub", "inbox", "decision", "undo"]
TITLES: dict[Where, str] = {
    "list": "In the list",
    "task": "With the task under the cursor",
    "view": "In the log, the result and the events",
    "scroll": "While the focus is there",
    "hub": "Anywhere",
    "inbox": "In the inbox",
    "decision": "In a dialog that asks",
    "undo": "For a few seconds after a decision",
}


@dataclass(frozen=True, slots=True)
class Act:
    """Something a key does."""

    id: str
    """Stable name, by which a keymap can give it another key."""
    keys: str
    """Textual's names of the keys, separated by commas."""
    action: str
    label: str
    """One word for the footer."""
    meaning: str
    where: Where
    rank: int = 0
    """Place in the footer, 1 is the most important; 0 is not shown there."""
    display: str = ""
    """How the keys are written; empty: as they are."""

    @property
    def shown_keys(self) -> str:
        return self.display or self.keys.replace(",", " ")


ACTIONS: tuple[Act, ...] = (
    Act("list.down", "j,down", "move(1)", "Down", "Next task", "list", display="j ↓"),
    Act("list.up", "k,up", "move(-1)", "Up", "Task before", "list", display="k ↑"),
    Act(
        "list.top",
        "g,home",
        "top",
        "Top",
        "First task; sorts the list anew and shows new tasks",
        "list",
    ),
    Act("list.end", "G,end", "end", "End", "Last task", "list"),
    Act(
        "list.page_down",
        "ctrl+d,pagedown",
        "page(1)",
        "Page down",
        "A page down",
        "list",
        display="ctrl+d",
    ),
    Act(
        "list.page_up",
        "ctrl+u,pageup",
        "page(-1)",
        "Page up",
        "A page up",
        "list",
        display="ctrl+u",
    ),
    Act("task.open", "enter", "open", "Open", "Show the task's stages, log and result", "task", 1),
    Act("task.decide", "a", "decide", "Decide", "Answer its question, or its failure", "task", 2),
    Act(
        "task.context",
        "c",
        f"act('{Action.PROVIDE_CONTEXT}')",
        "Context",
        "Tell its agent something more",
        "task",
    ),
    Act(
        "task.modify",
        "m",
        f"act('{Action.MODIFY}')",
        "Modify",
        "Change its request, options or deadline",
        "task",
    ),
    Act(
        "task.reassign",
        "t",
        f"act('{Action.REASSIGN}')",
        "Reassign",
        "Give it to another agent",
        "task",
    ),
    Act("task.retry", "r", f"act('{Action.RETRY}')", "Retry", "Run the failed stage again", "task"),
    Act(
        "task.cancel",
        "X",
        f"act('{Action.CANCEL}')",
        "Cancel",
        "End it; asks before it does",
        "task",
    ),
    Act("task.pause", "p", "pause", "Pause", "Hold it after its current stage, or go on", "task"),
    Act("task.result", "o", "open_result", "File", "Open its result outside TaskHub", "task", 5),
    Act("task.copy", "y", "copy_id", "Copy", "Copy its ID", "task"),
    Act(
        "view.next",
        "right_square_bracket",
        "tab(1)",
        "Tab",
        "Next of log, result, events",
        "view",
        4,
        "]",
    ),
    Act(
        "view.previous",
        "left_square_bracket",
        "tab(-1)",
        "Tab before",
        "The one before",
        "view",
        display="[",
    ),
    Act("view.follow", "f", "follow", "Follow", "Let the log run along, or hold it", "view", 6),
    Act(
        "view.zoom", "z", "zoom", "Zoom", "Give the task the whole screen, or the list back", "view"
    ),
    Act("scroll.down", "j,down", "scroll_down", "Down", "A line down", "scroll", display="j ↓"),
    Act("scroll.up", "k,up", "scroll_up", "Up", "A line up", "scroll", display="k ↑"),
    Act("scroll.left", "h,left", "sideways(-8)", "Left", "To the left", "scroll", display="h ←"),
    Act(
        "scroll.right",
        "l,right",
        "sideways(8)",
        "Right",
        "What long lines hold",
        "scroll",
        display="l →",
    ),
    Act("scroll.home", "g,home", "scroll_home", "Top", "To the first line", "scroll"),
    Act("scroll.end", "G,end", "scroll_end", "End", "To the last line", "scroll"),
    Act(
        "scroll.page_down",
        "ctrl+d,pagedown,space",
        "page_down",
        "Page down",
        "A page down",
        "scroll",
        display="ctrl+d",
    ),
    Act(
        "scroll.page_up",
        "ctrl+u,pageup",
        "page_up",
        "Page up",
        "A page up",
        "scroll",
        display="ctrl+u",
    ),
    Act(
        "hub.back", "escape", "back", "Back", "Back to the list; clears the filter", "hub", 3, "esc"
    ),
    Act("hub.new", "n", "new", "New", "Hand over a new task", "hub", 4),
    Act(
        "hub.sample",
        "s",
        "sample",
        "Sample",
        "Try the sample report (while the hub is empty)",
        "hub",
    ),
    Act("hub.inbox", "i", "app.go('inbox')", "Inbox", "What TaskHub has told you", "hub", 7),
    Act(
        "hub.filter", "slash", "filter", "Filter", "Show only tasks with these words", "hub", 8, "/"
    ),
    Act("hub.help", "question_mark", "app.go('help')", "Help", "This page", "hub", 9, "?"),
    Act(
        "hub.palette",
        "ctrl+p",
        "app.command_palette",
        "Commands",
        "All commands by name",
        "hub",
        display="ctrl+p",
    ),
    Act("hub.quit", "q", "quit_app", "Quit", "Leave; the work goes on", "hub", 10),
    Act("undo.undo", "u", "app.undo", "Undo", "Take back the last decision", "undo", 3),
    Act("inbox.down", "j,down", "move(1)", "Down", "Next entry", "inbox", display="j ↓"),
    Act("inbox.up", "k,up", "move(-1)", "Up", "Entry before", "inbox", display="k ↑"),
    Act("inbox.top", "g,home", "top", "Top", "First entry", "inbox"),
    Act("inbox.end", "G,end", "end", "End", "Last entry", "inbox"),
    Act("inbox.page_down", "ctrl+d,pagedown", "page(1)", "Page down", "A page down", "inbox"),
    Act("inbox.page_up", "ctrl+u,pageup", "page(-1)", "Page up", "A page up", "inbox"),
    Act("inbox.part", "tab", "part", "News", "From what waits to the news, and back", "inbox"),
    Act("inbox.open", "enter", "read", "Read", "All of it; of news, the task", "inbox", 2),
    Act("inbox.answer", "a", "answer", "Answer", "Decide; the marked ones together", "inbox", 1),
    *(
        Act(
            f"inbox.choose_{n}",
            str(n),
            f"choose({n})",
            f"Choice {n}",
            f"Give answer {n}, where it is in sight",
            "inbox",
        )
        for n in range(1, 10)
    ),
    Act("inbox.deny", "d", f"decide('{Action.DENY}')", "Deny", "Say no, with a reason", "inbox", 5),
    Act(
        "inbox.context",
        "c",
        f"decide('{Action.PROVIDE_CONTEXT}')",
        "Context",
        "Answer in words, or tell more",
        "inbox",
    ),
    Act(
        "inbox.modify", "m", f"decide('{Action.MODIFY}')", "Modify", "Change what it asks", "inbox"
    ),
    Act(
        "inbox.reassign",
        "t",
        f"decide('{Action.REASSIGN}')",
        "Reassign",
        "Give it to another agent",
        "inbox",
    ),
    Act("inbox.retry", "r", f"decide('{Action.RETRY}')", "Retry", "Run it again", "inbox", 6),
    Act(
        "inbox.cancel",
        "X",
        f"decide('{Action.CANCEL}')",
        "Cancel",
        "End it; asks before it does",
        "inbox",
    ),
    Act("inbox.resume", "p", "resume", "Go on", "Let what came paused go on", "inbox", 7),
    Act("inbox.mark", "space", "mark", "Mark", "Mark it, or not", "inbox", 4),
    Act("inbox.range", "v", "range", "Range", "Mark from here to the next v", "inbox"),
    Act("inbox.kind", "V", "kind", "All alike", "Mark all that wait for the same reason", "inbox"),
    Act("inbox.away", "e", "away", "Away", "Put a failure away; mark news as read", "inbox", 8),
    Act("inbox.read_all", "R", "read_all", "All read", "Mark all news as read", "inbox", 9),
    Act("inbox.task", "o", "task", "Task", "Open its task", "inbox", 10),
    Act("decision.log", "l", "log", "Log", "More of a failure's log, or less again", "decision"),
    Act("inbox.back", "escape,q", "back", "Back", "Back; first drops the marks", "inbox", 3, "esc"),
)
BY_ID = {act.id: act for act in ACTIONS}


def bindings(*where: Where) -> Iterator[Binding]:
    """Return the bindings of the actions that belong to these places."""
    for act in ACTIONS:
        if act.where in where:
            yield Binding(
                act.keys,
                act.action,
                act.label,
                show=act.rank > 0,
                key_display=act.display or None,
                tooltip=act.meaning,
                id=act.id,
            )
