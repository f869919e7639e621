"""The errors TaskHub raises on purpose. `str()` of each is a sentence fit for a person.

TaskHubError            exit code 1
├─ BadInput             2   what was given cannot be used
│  ├─ UnknownTask       2   no task, or more than one, has this ID
│  └─ BadPlaybook       2   a playbook file says something it must not
├─ NotLegal             3   this decision does not fit the state of the task
│  └─ AlreadyDecided    3   somebody, or a deadline, was faster
├─ ReadOnly             3   this hub was opened to be looked at only
├─ LeaseLost            4   another worker has taken the task over
├─ StoreError           5   the database cannot be opened, read or written
│  ├─ StoreBusy         5   for now: another process writes, or there is no room
│  │  └─ DiskFull       5   the disk takes nothing more; what is there can be read
│  ├─ Outdated          5   a newer TaskHub has changed the database meanwhile
│  └─ Damaged           5   what is stored of a task is not what was written
└─ WorkerError          6   no worker could be started
"""


class TaskHubError(Exception):
    """Base of every error TaskHub raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        """The next thing to try, as a sentence or a command; None when there is none."""


class BadInput(TaskHubError):
    """What was given cannot be used; the message says what, where and what would be right."""

    exit_code = 2


class UnknownTask(BadInput):
    """No task has this ID, or several begin with it."""


class BadPlaybook(BadInput):
    """A playbook file says something it must not; the message names the file and the place."""


class NotLegal(TaskHubError):
    """This decision does not fit the state of the task."""

    exit_code = 3


class AlreadyDecided(NotLegal):
    """The question was answered before, or has changed since it was shown."""


class ReadOnly(TaskHubError):
    """This hub was opened to be looked at: nothing is handed over, decided or changed with it."""

    exit_code = 3

    def __init__(self) -> None:
        super().__init__(
            "This view only shows: nothing can be decided or changed in it",
            "Use `taskhub` in a terminal, or start `taskhub serve --allow-decisions`",
        )


class LeaseLost(TaskHubError):
    """Another worker, or a decision, has taken this task over; what we did was not saved."""

    exit_code = 4


class StoreError(TaskHubError):
    """The database cannot be opened, read or written."""

    exit_code = 5


class StoreBusy(StoreError):
    """The database cannot be written now, but may be soon: it is kept busy, or the disk is full."""


class DiskFull(StoreBusy):
    """The disk takes nothing more, or a quota is used up; nothing was changed."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"The disk that holds {path} is full; nothing was changed", "Free some space"
        )


class Outdated(StoreError):
    """A newer TaskHub has changed how the database is written: start this process anew."""


class Damaged(StoreError):
    """What the database holds of a task is not what was written: its checksum says so."""

    def __init__(
        self, message: str, hint: str | None = None, *, position: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.position = position
        """Of the stage that is damaged, or whose question is; None where that is not known."""


class WorkerError(TaskHubError):
    """No worker could be started."""

    exit_code = 6
