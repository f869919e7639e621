"""Every key of the app: one list that feeds the bindings, the footer, the palette and the help."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding

from taskhub_tui.domain.model import Action

Where = Literal["list", "task", "view", "scroll", "hub", "tabs", "log", "result", "files", "events"]
TITLES: dict[Where, str] = {
    "list": "In the list",
    "task": "With the task under the cursor",
    "view": "In the log, the result and the events",
    "scroll": "While the focus is there",
    "hub": "Anywhere",
    "tabs": "In the tabs of a task",
    "log": "In the log",
    "result": "In the result",
    "files": "In the files",
    "events": "In the events",
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
        "Next of log, result, files, events, about",
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
    # The tabs of a task: what each line of text can do, and what only one of them can.
    Act("scroll.find", "slash", "find", "Find", "Find words here", "scroll", 6, "/"),
    Act("scroll.next", "n", "find_next(1)", "Next", "Next place with the words", "scroll", 3),
    Act("scroll.before", "N", "find_next(-1)", "Before", "The place before", "scroll"),
    Act(
        "scroll.clear",
        "escape",
        "clear_find",
        "Clear",
        "End the search, take the mark away",
        "scroll",
        display="esc",
    ),
    Act("scroll.copy", "y", "copy", "Copy", "Copy the marked line or the selection", "scroll", 5),
    Act("tabs.log", "1", "show_tab('log')", "Log", "The log", "tabs"),
    Act("tabs.result", "2", "show_tab('result')", "Result", "The result", "tabs"),
    Act("tabs.files", "3", "show_tab('files')", "Files", "The files it has made", "tabs"),
    Act("tabs.events", "4", "show_tab('events')", "Events", "What has happened to it", "tabs"),
    Act("tabs.about", "5", "show_tab('about')", "About", "Its request, options, cost", "tabs"),
    Act("log.error", "e", "error(1)", "Error", "Next line that tells of a mistake", "log", 5),
    Act("log.error_before", "E", "error(-1)", "Error before", "The one before", "log"),
    Act("log.wrap", "w", "wrap", "Wrap", "Wrap long lines, or not", "log", 6),
    Act("log.page", "o", "page_log", "Pager", "All of it in $PAGER", "log", 6),
    Act("log.mark", "J,shift+down", "mark(1)", "Mark", "Mark the next line", "log", display="J"),
    Act(
        "log.mark_before",
        "K,shift+up",
        "mark(-1)",
        "Mark before",
        "Mark the line before",
        "log",
        display="K",
    ),
    Act("result.link", "u", "link(1)", "Link", "Next link, and where it leads", "result", 5),
    Act("result.link_before", "U", "link(-1)", "Link before", "The link before", "result"),
    Act("result.open_link", "enter", "open_link", "Open link", "Open it outside", "result", 2),
    *(
        Act(
            f"result.next_{n}",
            str(n),
            f"follow_up({n})",
            "What next",
            f"Hand over suggested follow-up {n}",
            "result",
            2 if n == 1 else 0,
        )
        for n in range(1, 10)
    ),
    Act("files.open", "enter,o", "open_file", "Open", "Open it outside", "files", 2),
    Act("files.save", "s", "save_file", "Save", "Save a copy elsewhere", "files", 3),
    Act("files.look", "v", "look", "Look", "Look at the picture here", "files", 3),
    Act("files.down", "j,down", "choose(1)", "Down", "Next file", "files", display="j ↓"),
    Act("files.up", "k,up", "choose(-1)", "Up", "File before", "files", display="k ↑"),
    Act(
        "events.open",
        "enter,space",
        "unfold",
        "Open",
        "All that is recorded of it",
        "events",
        2,
        "enter",
    ),
    Act("events.down", "j,down", "choose(1)", "Down", "Next line", "events", display="j ↓"),
    Act("events.up", "k,up", "choose(-1)", "Up", "Line before", "events", display="k ↑"),
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
