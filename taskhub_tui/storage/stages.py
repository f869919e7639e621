"""What an agent writes while its stage runs, each under the fence of the task."""

from collections.abc import Sequence

from taskhub_tui.domain.errors import LeaseLost
from taskhub_tui.domain.model import Artifact, Stage
from taskhub_tui.records import dataclass
from taskhub_tui.storage import rows
from taskhub_tui.storage.writer import Tx


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far one running stage, and its task, have got."""

    n: int
    fence: int
    position: int
    stage_fraction: float | None
    fraction: float | None
    note: str
    eta: float | None


@dataclass(frozen=True, slots=True)
class Worked:
    """How long the attempt of one running stage has worked."""

    n: int
    fence: int
    position: int
    seconds: float
    limited: float | None
    """For how long its provider has made it wait since it last got on."""


def save(tx: Tx, n: int, fence: int, stage: Stage) -> None:
    """Keep an agent's state, and how long the log was then, as `stage` has them.

    Raises:
        LeaseLost: the fence is stale.
    """
    changed = tx.execute(
        "UPDATE stage SET state = ?, log_mark = ?, seal = ? WHERE task_n = ? AND position = ?"
        " AND (SELECT fence FROM task WHERE n = stage.task_n) = ?",
        (
            rows.dump(stage.state),
            stage.log_mark,
            rows.stage_seal(stage),
            n,
            stage.position,
            fence,
        ),
    )
    if changed.rowcount == 0:
        raise LeaseLost("The task has been taken over; the agent's state was not saved")


def progress(tx: Tx, made: Sequence[Progressed], now: float) -> None:
    """Write the progress of many stages; those that were taken over are left out."""
    for one in made:
        changed = tx.execute(
            "UPDATE task SET fraction = ?, note = ?, eta = ?, changed = ?, seq = ?"
            " WHERE n = ? AND fence = ?",
            (one.fraction, one.note, one.eta, now, tx.seq, one.n, one.fence),
        )
        if changed.rowcount:
            tx.loud = True
            tx.execute(
                "UPDATE stage SET fraction = ?, note = ? WHERE task_n = ? AND position = ?",
                (one.stage_fraction, one.note, one.n, one.position),
            )


def worked(tx: Tx, made: Sequence[Worked]) -> None:
    """Note how long attempts have worked; those that were taken over are left out."""
    for one in made:
        tx.execute(
            "UPDATE stage SET worked = ?, limited = ? WHERE task_n = ? AND position = ?"
            " AND (SELECT fence FROM task WHERE n = stage.task_n) = ?",
            (one.seconds, one.limited, one.n, one.position, one.fence),
        )


def artifact(tx: Tx, n: int, fence: int, made: Artifact, *, main: bool) -> None:
    """Note a file that a stage produced; `main` makes it the task's result.

    Raises:
        LeaseLost: the fence is stale.
    """
    changed = tx.execute(
        "UPDATE task SET seq = ?, result = CASE WHEN ? THEN ? ELSE result END"
        " WHERE n = ? AND fence = ?",
        (tx.seq, main, made.path, n, fence),
    )
    if changed.rowcount == 0:
        raise LeaseLost("The task has been taken over; the artifact was not noted")
    tx.loud = True
    tx.execute(
        "INSERT OR REPLACE INTO artifact (task_n, stage, name, path, media_type, size, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (n, made.stage, made.name, made.path, made.media_type, made.size, made.created),
    )
