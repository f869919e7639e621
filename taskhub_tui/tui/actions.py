"""Every key of the app: one list that feeds bindings, footer, palette, help, and docs/keys.md."""

from collections.abc import Iterator
from typing import Literal

from textual.binding import Binding

from taskhub_tui.domain.model import Action
from taskhub_tui.records import dataclass

Where = Literal[
    "list",
    "task",
    "view",
    "scroll",
    "tabs",
    "log",
    "result",
    "files",
    "events",
    "hub",
    "place",
    "panes",
    "decision",
    "answer",
    "batch",
    "inbox",
    "undo",
    "form",
    "plan",
    "path",
    "after",
    "agents",
    "settings",
    "choose",
    "name",
    "pick",
    "save",
    "picture",
    "pane",
    "help",
    "app",
]
TITLES: dict[Where, str] = {
    "list": "In the list",
    "task": "With the task under the cursor",
    "view": "In the log, the result and the events",
    "scroll": "While the focus is there",
    "tabs": "In the tabs of a task",
    "log": "In the log",
    "result": "In the result",
    "files": "In the files",
    "events": "In the events",
    "hub": "On the first screen",
    "place": "From one whole screen to another",
    "panes": "By number, where numbers mean nothing else",
    "decision": "In a dialog that asks",
    "answer": "In what is written in such a dialog",
    "batch": "In the table before several are decided",
    "inbox": "In the inbox",
    "undo": "For a few seconds after a decision",
    "form": "In the form for a new task",
    "plan": "In the stages of the form",
    "path": "In a field for a path",
    "after": "In the field After",
    "agents": "In the list of agents",
    "settings": "In the settings",
    "choose": "Where one of a few is chosen",
    "name": "Where a name is given",
    "pick": "Where a task is looked for",
    "save": "Where a copy is saved",
    "picture": "In a picture",
    "pane": "In the inbox beside the list",
    "help": "In the help",
    "app": "Anywhere, but in a field a letter is a letter",
}
_TOGETHER: tuple[tuple[Where, ...], ...] = (
    ("list", "task", "view", "hub", "place", "panes", "undo"),
    ("inbox", "place", "undo"),
    ("agents", "place", "panes", "undo"),
    ("settings", "place", "panes", "undo"),
    ("decision", "undo"),
    ("answer", "undo"),
    ("batch", "undo"),
    ("help", "undo"),
    ("result", "undo"),
    ("scroll", "undo"),
)


def together() -> Iterator[tuple[Where, ...]]:
    """Yield the places whose keys are alive at the same time: there a key has one meaning.

    A log that has the focus takes its keys first, so there a key may mean something else.
    """
    joined = {where for places in _TOGETHER for where in places} | {"app"}
    yield from ((*places, "app") for places in _TOGETHER)
    yield from ((where, "app") for where in TITLES if where not in joined)


@dataclass(frozen=True, slots=True)
class Act:
    """Something a key does."""

    id: str
    """Stable name, by which a keymap can give it another key."""
    keys: str
    """Textual's names of the keys, separated by commas; "" is none until the user gives it one."""
    action: str
    label: str
    """One word for the footer."""
    meaning: str
    where: Where
    rank: int = 0
    """Place in the footer, 1 is the most important; 0 is not shown there."""
    display: str = ""
    """How the keys are written; empty: as they are."""
    named: bool = True
    """Offered in the command palette; what only moves something is not."""
    priority: bool = False
    """Taken before whatever has the focus gets the key; text fields keep their letters."""
    gives_way: bool = False
    """Taken at its moment only, on a head or with marks; else its key has its other meaning."""

    @property
    def shown_keys(self) -> str:
        return self.display or self.keys.replace(",", " ")


def _ends(where: Where, top: str, end: str) -> Iterator[Act]:
    """Yield what leads to the ends of a list of Textual's, and a page on."""
    for name, keys, action, label, meaning in (
        ("top", "g,home", "first", "Top", top),
        ("end", "G,end", "last", "End", end),
        ("page_down", "ctrl+d,pagedown", "page_down", "Page down", "A page down"),
        ("page_up", "ctrl+u,pageup", "page_up", "Page up", "A page up"),
    ):
        yield Act(f"{where}.{name}", keys, f"leap('{action}')", label, meaning, where, named=False)


ACTIONS: tuple[Act, ...] = (
    Act("list.down", "j,down", "move(1)", "Down", "Next task", "list", display="j ↓", named=False),
    Act("list.up", "k,up", "move(-1)", "Up", "Task before", "list", display="k ↑", named=False),
    Act(
        "list.top",
        "g,home",
        "top",
        "Top",
        "First task; sorts the list anew and shows new tasks",
        "list",
        named=False,
    ),
    Act("list.end", "G,end", "end", "End", "Last task", "list", named=False),
    Act(
        "list.page_down",
        "ctrl+d,pagedown",
        "page(1)",
        "Page down",
        "A page down",
        "list",
        display="ctrl+d",
        named=False,
    ),
    Act(
        "list.page_up",
        "ctrl+u,pageup",
        "page(-1)",
        "Page up",
        "A page up",
        "list",
        display="ctrl+u",
        named=False,
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
    Act(
        "task.copy",
        "y",
        "copy_id",
        "Copy",
        "Copy what is selected, or the task's ID",
        "task",
    ),
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
    Act(
        "scroll.down",
        "j,down",
        "scroll_down",
        "Down",
        "A line down",
        "scroll",
        display="j ↓",
        named=False,
    ),
    Act("scroll.up", "k,up", "scroll_up", "Up", "A line up", "scroll", display="k ↑", named=False),
    Act(
        "scroll.left",
        "h,left",
        "sideways(-8)",
        "Left",
        "To the left",
        "scroll",
        display="h ←",
        named=False,
    ),
    Act(
        "scroll.right",
        "l,right",
        "sideways(8)",
        "Right",
        "What long lines hold",
        "scroll",
        display="l →",
        named=False,
    ),
    Act("scroll.home", "g,home", "scroll_home", "Top", "To the first line", "scroll", named=False),
    Act("scroll.end", "G,end", "scroll_end", "End", "To the last line", "scroll", named=False),
    Act(
        "scroll.page_down",
        "ctrl+d,pagedown,space",
        "page_down",
        "Page down",
        "A page down",
        "scroll",
        display="ctrl+d",
        named=False,
    ),
    Act(
        "scroll.page_up",
        "ctrl+u,pageup",
        "page_up",
        "Page up",
        "A page up",
        "scroll",
        display="ctrl+u",
        named=False,
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
    Act(
        "hub.inbox", "i", "app.go('inbox')", "Inbox", "What waits for you, and the news", "place", 7
    ),
    Act(
        "hub.filter", "slash", "filter", "Filter", "Show only tasks with these words", "hub", 8, "/"
    ),
    Act(
        "hub.filter_again",
        "full_stop",
        "filter_again",
        "Last filter",
        "Take the filter away, or the last one again",
        "hub",
        display=".",
    ),
    Act("hub.quit", "q", "quit_app", "Quit", "Leave; the work goes on", "hub", 10),
    Act("decision.later", "escape", "later", "Later", "Decide later", "decision", display="esc"),
    *(
        Act(f"decision.{action}", key, f"begin('{action}')", label, meaning, "decision")
        for action, key, label, meaning in (
            (Action.APPROVE, "a", "Approve", "Approve, or accept the result"),
            (Action.RETRY, "r", "Retry", "Run the failed stage again"),
            (Action.DENY, "d", "Deny", "Say no, with a reason"),
            (Action.PROVIDE_CONTEXT, "c", "Answer", "Answer, or tell its agent something more"),
            (Action.MODIFY, "m", "Modify", "Change what is proposed, or the task"),
            (Action.REASSIGN, "t", "Reassign", "Give it to another agent"),
            (Action.CANCEL, "X", "Cancel", "End the task; asks before it does"),
        )
    ),
    Act("decision.down", "j", "scroll(1)", "Down", "A line down", "decision", named=False),
    Act("decision.up", "k", "scroll(-1)", "Up", "A line up", "decision", named=False),
    *(
        Act(
            f"decision.choose_{n}",
            str(n),
            f"choose({n - 1})",
            f"Choice {n}",
            f"Take the choice with number {n}",
            "decision",
            named=False,
        )
        for n in range(1, 10)
    ),
    Act("answer.back", "escape", "back", "Back", "Back to what is asked", "answer", display="esc"),
    Act(
        "answer.send",
        "ctrl+s,ctrl+enter",
        "send",
        "Send",
        "Send what is written",
        "answer",
        display="ctrl+s",
    ),
    Act(
        "answer.edit",
        "ctrl+e",
        "edit",
        "Editor",
        "Write it in your editor",
        "answer",
        priority=True,
    ),
    Act(
        "answer.copy",
        "ctrl+y",
        "copy_all",
        "Copy",
        "Copy all that is written, once it cannot be sent any more",
        "answer",
        priority=True,
    ),
    Act("batch.yes", "y", "yes", "Do it", "Do it; high risk wants a typed y besides", "batch"),
    Act("batch.no", "escape,n,q", "no", "Back", "Back; nothing is done", "batch", display="esc"),
    Act("batch.down", "j,down", "scroll(1)", "Down", "A line down", "batch", 0, "j ↓", False),
    Act("batch.up", "k,up", "scroll(-1)", "Up", "A line up", "batch", 0, "k ↑", False),
    Act(
        "batch.page_down",
        "ctrl+d,pagedown,space",
        "page(1)",
        "Page down",
        "A page down",
        "batch",
        display="ctrl+d",
        named=False,
    ),
    Act(
        "batch.page_up",
        "ctrl+u,pageup",
        "page(-1)",
        "Page up",
        "A page up",
        "batch",
        display="ctrl+u",
        named=False,
    ),
    Act("batch.top", "g,home", "edge(-1)", "Top", "First line", "batch", named=False),
    Act("batch.end", "G,end", "edge(1)", "End", "Last line", "batch", named=False),
    Act(
        "form.submit",
        "ctrl+s,ctrl+enter",
        "submit",
        "Hand over",
        "Hand the task over",
        "form",
        display="ctrl+s",
    ),
    Act("form.leave", "escape", "leave", "Leave", "Leave the form", "form", display="esc"),
    Act("help.close", "escape,q", "close", "Close", "Close the help", "help", display="esc q"),
    Act("help.search", "slash", "search", "Search", "Search the keys", "help", display="/"),
    Act("help.down", "j,down", "scroll(1)", "Down", "A line down", "help", 0, "j ↓", False),
    Act("help.up", "k,up", "scroll(-1)", "Up", "A line up", "help", 0, "k ↑", False),
    Act(
        "help.page_down",
        "ctrl+d,pagedown,space",
        "page(1)",
        "Page down",
        "A page down",
        "help",
        display="ctrl+d",
        named=False,
    ),
    Act(
        "help.page_up",
        "ctrl+u,pageup",
        "page(-1)",
        "Page up",
        "A page up",
        "help",
        display="ctrl+u",
        named=False,
    ),
    Act("help.top", "g,home", "edge(-1)", "Top", "To the first line", "help", named=False),
    Act("help.end", "G,end", "edge(1)", "End", "To the last line", "help", named=False),
    Act(
        "hub.help",
        "question_mark,f1",
        "app.help",
        "Help",
        "Every key, those of this place first",
        "app",
        9,
        "?",
        priority=True,
    ),
    Act(
        "hub.palette",
        "colon,ctrl+p",
        "app.command_palette",
        "Commands",
        "All commands by name",
        "app",
        display=": ctrl+p",
        named=False,
        priority=True,
    ),
    Act(
        "app.theme",
        "",
        "app.change_theme",
        "Theme",
        "Choose the colours",
        "app",
    ),
    Act(
        "app.suspend",
        "ctrl+z",
        "app.suspend_process",
        "Suspend",
        "To the shell; `fg` brings the app back",
        "app",
        priority=True,
    ),
    # The list: which tasks, in what order, and many at once
    Act(
        "list.sort",
        "S",
        "sort_by",
        "Sort",
        "Choose what the list is sorted by",
        "hub",
    ),
    Act("list.group", "B", "group_by", "Group", "Choose what the list is grouped by", "hub"),
    Act("list.views", "W", "views", "Views", "Choose or delete a saved view", "hub"),
    Act("list.save_view", "w", "save_view", "Save view", "Save filter, sort and group", "hub"),
    Act(
        "list.fold",
        "enter",
        "fold",
        "Fold",
        "On a head: hide or show its group",
        "list",
        gives_way=True,
    ),
    Act("list.fold_all", "Z", "fold_all", "Fold all", "Hide or show all groups", "list"),
    Act("list.mark", "space", "mark", "Mark", "Mark a task, or take its mark away", "list"),
    Act("list.mark_range", "v", "mark_range", "Mark to here", "Mark from the last mark on", "list"),
    Act(
        "list.mark_all",
        "V,ctrl+a",
        "mark_all",
        "Mark all",
        "Mark all that are shown",
        "list",
        display="V",
    ),
    Act(
        "list.unmark",
        "escape",
        "unmark",
        "Unmark",
        "Take all marks away",
        "list",
        display="esc",
        gives_way=True,
    ),
    Act(
        "list.priority",
        "P",
        "priority",
        "Priority",
        "Change who goes first",
        "task",
    ),
    Act("list.inbox_pane", "I", "inbox_pane", "Waiting", "Go to what waits, at the right", "hub"),
    Act("task.again", "d", "again", "Again", "Hand it over once more: fills the form", "task"),
    Act(
        "hub.agents",
        "A",
        "app.go('agents')",
        "Agents",
        "Who can do work, and how they fare",
        "place",
    ),
    Act(
        "hub.settings", "comma", "app.go('settings')", "Settings", "Every setting", "place", 0, ","
    ),
    # Those that lead to whole screens are in the palette by their letters.
    *(
        Act(f"panes.{name}", key, f"app.pane('{name}')", label, meaning, "panes", named=False)
        for key, name, label, meaning in (
            ("1", "list", "List", "To the list"),
            ("2", "task", "Task", "To the task under the cursor"),
            ("3", "inbox", "Inbox", "To what waits for you, at the right where it is in sight"),
            ("4", "agents", "Agents", "To the agents"),
        )
    ),
    Act("form.template", "ctrl+o", "template", "Past tasks", "Fill it from a past task", "form"),
    Act(
        "form.edit",
        "ctrl+e",
        "edit",
        "Editor",
        "Write the request, or the options, in your editor",
        "form",
        priority=True,
    ),
    Act("form.afresh", "ctrl+l", "afresh", "Afresh", "Empty the form", "form"),
    Act("agents.new", "n,enter", "new", "New", "Hand over a new task to it", "agents", 1),
    Act("agents.filter", "f", "filter", "Tasks", "Show only its tasks", "agents", 2),
    Act("agents.down", "j,down", "move(1)", "Down", "Next agent", "agents", display="j ↓"),
    Act("agents.up", "k,up", "move(-1)", "Up", "Agent before", "agents", display="k ↑"),
    *_ends("agents", "First agent", "Last agent"),
    Act("agents.back", "escape,q", "back", "Back", "Back to the tasks", "agents", 3, "esc"),
    Act("settings.edit", "enter,space", "edit", "Change", "Change it here", "settings", 1),
    Act("settings.default", "D", "default", "Default", "Give its default back", "settings", 2),
    Act("settings.test", "t", "test", "Test", "Try out the channel", "settings", 4),
    Act("settings.file", "e", "file", "File", "Open the file in your editor", "settings", 5),
    Act("settings.worker", "w", "worker", "Worker", "Let a new worker read them", "settings", 6),
    Act("settings.check", "c", "check", "Check", "Look for what may be wrong", "settings", 6),
    Act("settings.down", "j,down", "move(1)", "Down", "Next", "settings", display="j ↓"),
    Act("settings.up", "k,up", "move(-1)", "Up", "The one before", "settings", display="k ↑"),
    *_ends("settings", "First setting", "Last key"),
    Act("settings.back", "escape,q", "back", "Back", "Back to the tasks", "settings", 3, "esc"),
    Act(
        "undo.undo",
        "u",
        "app.undo",
        "Undo",
        "Take back the last decision, in a dialog too",
        "undo",
        3,
        priority=True,
    ),
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
            f"Give the answer with number {n}, where it is in sight",
            "inbox",
            named=False,
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
    Act("inbox.task", "o", "task", "Task", "Open its task", "inbox", 8),
    Act("decision.log", "l", "log", "Log", "More of a failure's log, or less again", "decision"),
    Act("decision.away", "e", "away", "Away", "Put a failure away: it wants no answer", "decision"),
    Act("inbox.back", "escape,q", "back", "Back", "Back; first drops the marks", "inbox", 3, "esc"),
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
    Act("result.link", "L", "link(1)", "Link", "Next link, and where it leads", "result", 5),
    Act("result.link_before", "H", "link(-1)", "Link before", "The link before", "result"),
    Act("result.open_link", "enter", "open_link", "Open link", "Open it outside", "result", 2),
    *(
        Act(
            f"result.next_{n}",
            str(n),
            f"follow_up({n})",
            "What next",
            f"Hand over the follow-up with number {n}",
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
    # The dialogs over a screen, and the parts of the form
    Act("choose.down", "j", "move(1)", "Down", "Next line", "choose", named=False),
    Act("choose.up", "k", "move(-1)", "Up", "Line before", "choose", named=False),
    Act(
        "choose.delete",
        "delete,ctrl+x",
        "remove",
        "Delete",
        "Delete the view under the cursor",
        "choose",
        display="del ctrl+x",
    ),
    Act("choose.leave", "escape,q", "leave", "Back", "Back", "choose", display="esc q"),
    Act("name.leave", "escape", "leave", "Back", "Back, nothing is saved", "name", display="esc"),
    Act("pick.down", "down", "move(1)", "Down", "Next task", "pick", 0, "↓", False, True),
    Act("pick.up", "up", "move(-1)", "Up", "Task before", "pick", 0, "↑", False, True),
    Act("pick.leave", "escape", "leave", "Back", "Back, none is taken", "pick", display="esc"),
    Act("save.leave", "escape", "leave", "Back", "Back, nothing is saved", "save", display="esc"),
    Act("path.complete", "tab", "complete", "Complete", "As far as it is clear", "path"),
    Act("path.down", "down", "choose(1)", "Down", "Next that fits", "path", 0, "↓", False),
    Act("path.up", "up", "choose(-1)", "Up", "The one before", "path", 0, "↑", False),
    Act("after.pick", "down", "pick", "Pick", "Look for the task by these words", "after", 0, "↓"),
    Act("plan.down", "j,down", "move(1)", "Down", "Next stage", "plan", 0, "j ↓", False),
    Act("plan.up", "k,up", "move(-1)", "Up", "Stage before", "plan", 0, "k ↑", False),
    Act(
        "plan.left",
        "h,left",
        "side(0)",
        "Before",
        "The box before it",
        "plan",
        0,
        "h ←",
        False,
    ),
    Act("plan.right", "l,right", "side(1)", "After", "The box after it", "plan", 0, "l →", False),
    Act(
        "plan.tick",
        "space,enter",
        "tick",
        "Tick",
        "Be asked there, or not",
        "plan",
        display="space",
    ),
    Act(
        "picture.leave",
        "escape,q,v",
        "leave",
        "Back",
        "Back to the files",
        "picture",
        3,
        "esc q",
    ),
    Act("picture.open", "o,enter", "open", "Open", "Open it outside", "picture", 1, "o"),
    Act("pane.down", "j", "cursor_down", "Down", "Next entry", "pane", named=False),
    Act("pane.up", "k", "cursor_up", "Up", "Entry before", "pane", named=False),
    Act("events.down", "j,down", "choose(1)", "Down", "Next line", "events", display="j ↓"),
    Act("events.up", "k,up", "choose(-1)", "Up", "Line before", "events", display="k ↑"),
)
BY_ID = {act.id: act for act in ACTIONS}
FIXED: tuple[tuple[Where, str, str], ...] = (
    ("form", "tab", "Next field; shift+tab goes back"),
    ("choose", "enter", "Choose what is under the cursor"),
    ("name", "enter", "Save it"),
    ("pick", "enter", "Take the task under the cursor"),
    ("save", "enter", "Save it there"),
    ("pane", "enter", "Go to its task"),
    ("app", "ctrl+c", "Copy what is selected with the mouse"),
    ("app", "ctrl+q", "Leave, from anywhere; the work goes on"),
)
"""Keys that cannot be changed: place, key, meaning."""


def no_key(act_id: str) -> str:
    """Return the name of a key that no keyboard has: Textual cannot bind an action to none."""
    return f"no-key-{act_id}"


def bindings(*where: Where) -> Iterator[Binding]:
    """Return the bindings of the actions that belong to these places."""
    for act in ACTIONS:
        if act.where in where:
            yield Binding(
                act.keys or no_key(act.id),
                act.action,
                act.label,
                show=act.rank > 0,
                key_display=act.display or None,
                priority=act.priority,
                tooltip=act.meaning,
                id=act.id,
            )
