"""What an open app shows in its own terminal: taken out of the outbox, by the person's wishes.

A worker plans it as it plans all else; it has no terminal, so whichever app has one, and is not
looked at, takes it. That is one transaction, so it is told once however many are open.
"""

from __future__ import annotations

import os
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from taskhub_tui.domain.views import Posted
from taskhub_tui.notifications import prefs, wording
from taskhub_tui.notifications.policy import Context
from taskhub_tui.notifications.policy import presence as whether_present
from taskhub_tui.notifications.wishes import Prefs
from taskhub_tui.storage import outbox, posts, presence, withdrawals
from taskhub_tui.storage.outbox import Parcel, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from taskhub_tui.config import Paths, Settings
    from taskhub_tui.storage.store import Store
    from taskhub_tui.storage.writer import Tx

_SEEN = "It was seen in the app"
_STALE = "No app was there to show it when it was news"
_SHOWN = "The desktop of this machine has shown it"


class Posting:
    """Takes for one app what its terminal is to show."""

    def __init__(
        self,
        store: Store,
        paths: Paths,
        settings: Settings,
        me: str,
        clock: Callable[[], float],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`me` is the app's ID among those that say whether they are looked at."""
        self._store = store
        self._me = me
        self._clock = clock
        self._prefs = prefs.of(settings, paths)
        self._latest = prefs.Latest(paths)
        self._hold = 0.0
        """Until when there is no room for what is due."""
        # Over SSH the person does not sit before the screen that the desktop has shown it on.
        self._remote = bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))

    async def next(self, *, focused: bool | None, last_input: float | None) -> Posted | None:
        """Return what is to be shown now, which is told then; None when nothing is.

        Args:
            focused: whether the app is in front; None when its terminal does not say.
            last_input: when a key was last pressed in it.
        """
        now = self._clock()
        wishes = self._prefs = self._latest() or self._prefs
        if not wishes.terminal.enabled or now < self._hold <= now + outbox.DAY:
            return None
        others, news = await self._store.read(
            lambda reader: (
                presence.seen(reader, now, besides=self._me),
                posts.due(reader, now, news=True),
            )
        )
        if not (
            _away(wishes, now, focused, last_input)
            and _away(wishes, now, others.focused, others.last_input)
        ):
            if news:
                await self._store.write(partial(posts.drop_news, before=now, why=_SEEN))
            return None
        taken = await self._store.write(lambda tx: self._take(tx, wishes, now))
        if not isinstance(taken, Parcel):
            self._hold = taken or 0.0
            return None
        message = wording.parcel(taken, now)
        # The lines about how to see more are for who has no app.
        lines = [one for one in message.body.split("\n") if not one.startswith("See more: ")]
        return Posted(message.key, message.title, "\n".join(lines))

    def _take(self, tx: Tx, wishes: Prefs, now: float) -> Parcel | float | None:
        posts.drop_news(tx, now - posts.STALE, _STALE)
        if not self._remote and posts.leave_to_desktop(tx, now, _SHOWN):
            return None
        caps = wishes.terminal.caps
        rules = Rules(
            tuple((cap.count, cap.window) for cap in caps),
            tuple((cap.news, cap.window) for cap in caps),
            wishes.coalesce,
        )
        return posts.take(tx, self._me, now, rules)

    async def answered(self) -> list[str]:
        """Return the keys of what this app has shown and was answered since, each once."""
        gone = await self._store.read(partial(posts.answered, me=self._me))
        if gone:
            ids = [one.id for one in gone]
            await self._store.write(partial(withdrawals.withdrawn, ids=ids))
        return list(dict.fromkeys(one.key for one in gone if not one.asks))


def _away(wishes: Prefs, now: float, focused: bool | None, last_input: float | None) -> bool:
    idle = inf if last_input is None else max(0.0, now - last_input)
    return whether_present(wishes, Context(now, focused=focused, idle=idle))[0]
