"""How a list of tasks is shown: which, in what order, under what heads; and such views by name."""

from array import array
from collections.abc import Sequence
from dataclasses import field
from enum import StrEnum

from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.filtering import Filter, parse
from taskhub_tui.records import dataclass
from taskhub_tui.text import one_line


class Sort(StrEnum):
    """What the order goes by; newer tasks stand first among equals."""

    NEEDS = "needs you"
    AGE = "age"
    PROGRESS = "progress"
    LEFT = "time left"
    TITLE = "title"
    AGENT = "agent"
    PRIORITY = "priority"


class Group(StrEnum):
    """What heads stand between the rows."""

    NONE = "none"
    STATUS = "status"
    AGENT = "agent"
    PLAYBOOK = "playbook"


@dataclass(frozen=True, slots=True)
class Listing:
    """Which tasks, in what order, under what heads."""

    filter: Filter = field(default_factory=Filter)
    sort: Sort = Sort.NEEDS
    group: Group = Group.NONE


@dataclass(frozen=True, slots=True)
class Head:
    """A group of tasks that stand together."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Arranged:
    """The numbers of the tasks of a listing, in its order."""

    numbers: "array[int]"
    heads: Sequence[Head] = ()
    """Their groups, in order; empty when they are not grouped."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A listing that a person gave a name."""

    name: str
    filter: str = ""
    sort: Sort = Sort.NEEDS
    group: Group = Group.NONE
    built_in: bool = field(default=False, compare=False)
    """Comes with TaskHub, and cannot be deleted."""


BUILT_IN = (
    SavedView("All", built_in=True),
    SavedView("Needs you", "status:needs,failed", built_in=True),
    SavedView("Running", "status:running", built_in=True),
    SavedView("Failed today", "status:failed newer:1d", sort=Sort.AGE, built_in=True),
)


def to_save(view: SavedView) -> SavedView:
    """Return a view as it may be kept.

    Raises:
        BadInput: it has no name, the name of a built-in one, or a filter that is none.
    """
    name = one_line(view.name, 40).strip()
    if not name:
        raise BadInput("A view needs a name")
    if any(name.lower() == one.name.lower() for one in BUILT_IN):
        raise BadInput(f"`{name}` comes with TaskHub", "Take another name")
    words = one_line(view.filter, 400)
    parse(words)
    return SavedView(name, words, view.sort, view.group)
