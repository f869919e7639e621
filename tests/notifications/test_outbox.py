"""The outbox: what goes next over a channel, with what else, and what a failure makes of it."""

import pytest

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.change import Notice
from taskhub_tui.domain.model import NewTask, NoticeKind, Priority
from taskhub_tui.hub import Hub
from taskhub_tui.notifications import wording
from taskhub_tui.notifications.message import DeliveryError, Message
from taskhub_tui.notifications.notifier import Notifier
from taskhub_tui.notifications.policy import Channel
from taskhub_tui.notifications.prefs import Latest, read
from taskhub_tui.storage import changes, notices, outbox, presence, reviving, withdrawals
from taskhub_tui.storage.outbox import Parcel, Planned, Rules

NOW = 1_700_000_000.0
LOOSE = Rules()


class Box:
    """An outbox with tasks in it, and the time in the test's hands."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.store, self.now = hub, hub._store, NOW

    async def note(
        self,
        title: str = "Do it",
        kind: NoticeKind = NoticeKind.BLOCKER,
        *,
        channel: str = "phone",
        due: float = 0.0,
        priority: Priority = Priority.NORMAL,
        digest: bool = False,
        planned: bool = True,
    ) -> int:
        task = await self.hub.submit(NewTask(title, agent="command", priority=priority,
                                             options={"argv": ["true"]}))  # fmt: skip

        def write(tx) -> int:
            tx.execute("UPDATE notification SET planned = 1")
            changes.add_notice(tx, task.n, self.now, Notice(kind, task.title, "Why not?"))
            ((note, _),) = outbox.unplanned(tx)
            if planned:
                step = Planned(channel, self.now + due, "So it is.", digest=digest)
                outbox.plan(tx, note, [step])
            return note.id

        return await self.store.write(write)

    async def take(self, rules: Rules = LOOSE, worker: str = "w1") -> Parcel | float | None:
        return await self.store.write(lambda tx: outbox.take(tx, "phone", worker, self.now, rules))

    async def send(self, rules: Rules = LOOSE) -> list[int] | float | None:
        """Take a message and note it as sent; return what it told of."""
        taken = await self.take(rules)
        if not isinstance(taken, Parcel):
            return taken
        await self.store.write(lambda tx: outbox.sent(tx, taken, self.now))
        return [one.notification.id for one in taken.deliveries]

    async def answer(self, *ids: int) -> None:
        def write(tx) -> None:
            tx.loud = True
            for id_ in ids:
                tx.execute(
                    "UPDATE notification SET withdrawn = ?, seq = ? WHERE id = ?",
                    (self.now, tx.seq, id_),
                )

        await self.store.write(write)

    async def to_withdraw(self, worker: str = "w1") -> list[tuple[str, bool]]:
        """The keys of messages that were answered, and if each tells of another open question."""
        found = await self.store.read(lambda r: withdrawals.to_withdraw(r, "phone", worker))
        return [(one.key, one.asks) for one in found]


@pytest.fixture
def box(hub: Hub) -> Box:
    return Box(hub)


async def test_one_goes_after_the_other_the_most_urgent_first(box: Box) -> None:
    first, second = await box.note("a"), await box.note("b")
    urgent = await box.note("c", priority=Priority.CRITICAL)
    later = await box.note("d", due=60)
    assert [await box.send() for _ in range(4)] == [[urgent], [first], [second], None]
    box.now += 60
    assert await box.send() == [later]


async def test_what_was_answered_is_not_sent(box: Box) -> None:
    gone, open_ = await box.note(), await box.note()
    await box.answer(gone)
    assert [await box.send(), await box.send()] == [[open_], None]
    assert await box.to_withdraw() == []


async def test_after_three_in_a_row_the_next_ones_are_told_together(box: Box) -> None:
    notes = [await box.note(str(i)) for i in range(6)]
    rules = Rules(coalesce=10)
    assert [await box.send(rules) for _ in range(3)] == [notes[:1], notes[1:2], notes[2:]]
    more = await box.note("more")
    assert await box.send(rules) == NOW + 10
    critical = await box.note("critical", priority=Priority.CRITICAL)
    assert await box.send(rules) == [critical]
    box.now += 10.1
    assert await box.send(rules) == [more]


async def test_caps_hold_whoever_sends_and_the_last_place_tells_of_all(box: Box) -> None:
    notes = [await box.note(str(i)) for i in range(4)]
    rules = Rules(caps=((2, 3600.0), (3, 86400.0)))
    assert await box.send(rules) == notes[:1]
    assert await box.send(rules) == notes[1:]
    last = await box.note("last")
    assert await box.send(rules) == NOW + 3600
    box.now += 3601
    assert await box.send(rules) == [last]
    await box.note("over")
    assert await box.send(rules) == NOW + 86400
    ((again,),) = [[await box.take(rules, worker="w2")]]
    assert again == NOW + 86400


async def test_news_leave_a_quarter_of_the_room_to_what_somebody_has_to_act_on(box: Box) -> None:
    # Twelve tasks that were done kept a question from the phone for an hour.
    phone = Phone()
    at_work = notifier(box, phone, {"phone": {"enabled": True, "topic": "t", "per_hour": 4}})
    told = []
    for number in range(4):
        await box.note(f"done {number}", NoticeKind.COMPLETED)
        await at_work._turn(Channel.PHONE)
        box.now += 20
        told.append(len(phone.sent))
    assert told == [1, 2, 3, 3]
    await box.note("May I?")
    await at_work._turn(Channel.PHONE)
    assert phone.sent[-1].title == "Needs you: May I?"
    await box.note("And this?")
    await at_work._turn(Channel.PHONE)
    assert len(phone.sent) == 4, "the cap is kept"
    box.now += 3600
    await at_work._turn(Channel.PHONE)
    assert phone.sent[-1].title == "Needs you: And this?"


async def test_a_digest_is_one_message(box: Box) -> None:
    done = [await box.note(str(i), NoticeKind.COMPLETED, digest=True) for i in range(3)]
    question = await box.note("q")
    assert await box.send() == [question]
    taken = await box.take()
    assert isinstance(taken, Parcel)
    assert [one.notification.id for one in taken.deliveries] == done
    message = wording.parcel(taken, box.now)
    assert message.title == "3 tasks are done"
    assert message.body.splitlines()[3:] == ["See more: taskhub list"]
    assert (message.buttons, message.asks) == ((), False)


async def test_a_message_of_many_goes_with_the_last_of_them(box: Box) -> None:
    notes = [await box.note(str(i)) for i in range(3)]
    assert await box.send(Rules(caps=((1, 60.0),))) == notes
    await box.answer(*notes[:2])
    found = await box.to_withdraw()
    assert [more for _, more in found] == [True, True]
    assert len({key for key, _ in found}) == 1
    await box.answer(notes[2])
    assert {more for _, more in await box.to_withdraw("another worker")} == {False}


async def test_of_many_the_phone_says_what_is_left_and_other_channels_wait_for_the_last(
    box: Box,
) -> None:
    for replaces in (True, False):
        phone = Phone()
        phone.replaces = replaces
        at_work = notifier(box, phone)
        questions = [await box.note(name) for name in "abc"]
        news = await box.note("d", NoticeKind.COMPLETED)
        taken = await box.take(Rules(caps=((1, 60.0),)))
        assert isinstance(taken, Parcel)
        await box.store.write(lambda tx, what=taken: outbox.sent(tx, what, box.now))
        said = []
        for one in questions:
            await box.answer(one)
            await at_work._withdraw(Channel.PHONE)
            said.append((phone.sent[-1].title, phone.sent[-1].about) if phone.sent else None)
        if replaces:
            assert said == [
                ("2 tasks need you, 1 task is done", None),
                ("1 task needs you, 1 task is done", None),
                ("Done: d", news),
            ]
            assert {one.key for one in phone.sent} == {taken.key}
            assert all(one.quiet for one in phone.sent), "what is left was told before"
            assert phone.gone == []
        else:
            assert said == [None, None, None]
            assert phone.gone == [taken.key]
        box.now += 61


async def test_a_message_whose_worker_died_is_sent_again_under_its_key(box: Box) -> None:
    notes = [await box.note(str(i)) for i in range(3)]
    taken = await box.take(Rules(caps=((1, 60.0),)))
    assert isinstance(taken, Parcel)
    box.now += 61
    await box.note("new")
    await box.store.write(lambda tx: reviving.revive(tx, "w2", ["w2"], box.now))
    again = await box.take(worker="w2")
    assert isinstance(again, Parcel)
    assert again.key == taken.key
    assert [one.notification.id for one in again.deliveries] == notes


class Phone:
    """A channel that does as the test says."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.gone: list[str] = []
        self.refuse: list[Exception] = []
        self.replaces = False

    async def available(self) -> str | None:
        return None

    async def send(self, message: Message) -> None:
        if self.refuse:
            raise self.refuse.pop(0)
        self.sent.append(message)

    async def withdraw(self, key: str) -> None:
        if self.refuse:
            raise self.refuse.pop(0)
        self.gone.append(key)

    async def close(self) -> None:
        """Nothing is open."""


def notifier(box: Box, phone: Phone, section=None, **more) -> Notifier:
    prefs = read({"phone": {"enabled": True, "topic": "t"}} | (section or {}))
    return Notifier(box.store, "w1", prefs, {Channel.PHONE: phone}, clock=lambda: box.now, **more)


def down(after: float | None = None) -> DeliveryError:
    return DeliveryError("It is down", retry=True, after=after)


async def test_a_channel_that_is_down_rests_ever_longer_and_loses_nothing(box: Box) -> None:
    phone = Phone()
    at_work = notifier(box, phone)
    notes = [await box.note(str(i)) for i in range(5)]
    tries = []
    for _ in range(400):
        phone.refuse = [down()]
        await at_work._turn(Channel.PHONE)
        tries.append(not phone.refuse)
        box.now += 60
    assert 25 < sum(tries) < 40, "every 15 minutes in the end"
    phone.refuse = []
    box.now += 900
    for _ in range(10):
        await at_work._turn(Channel.PHONE)
        box.now += 5
    told = [n for m in phone.sent for n in await box.store.read(
        lambda r, key=m.key: notices.told_of(r, key))]  # fmt: skip
    assert sorted(told) == notes
    assert await box.store.read(lambda r: outbox.rest(r, "phone")) is None


async def test_a_channel_that_names_a_time_is_left_alone_until_then(box: Box) -> None:
    phone = Phone()
    phone.refuse = [down(after=1800.0)]
    at_work = notifier(box, phone)
    await box.note()
    for _ in range(30):
        await at_work._turn(Channel.PHONE)
        assert phone.sent == []
        box.now += 59
    # Another worker, or the next life of this one, knows it as well.
    at_work = notifier(box, phone)
    await at_work._turn(Channel.PHONE)
    assert phone.sent == []
    box.now += 60
    await at_work._turn(Channel.PHONE)
    assert len(phone.sent) == 1


async def test_what_is_refused_for_good_is_tried_again_by_the_next_worker(box: Box) -> None:
    phone = Phone()
    phone.refuse = [DeliveryError("Wrong token", retry=False)]
    at_work = notifier(box, phone)
    await box.note()
    await at_work._turn(Channel.PHONE)
    box.now += 86400
    await at_work._turn(Channel.PHONE)
    assert phone.sent == []
    mended = notifier(box, phone)
    await mended._plan_turn()
    await mended._turn(Channel.PHONE)
    assert len(phone.sent) == 1


async def test_taking_back_is_tried_again_as_well(box: Box) -> None:
    phone = Phone()
    at_work = notifier(box, phone)
    note = await box.note()
    await at_work._turn(Channel.PHONE)
    await box.answer(note)
    phone.refuse = [down()]
    await at_work._turn(Channel.PHONE)
    assert phone.gone == []
    box.now += 3
    await at_work._turn(Channel.PHONE)
    assert phone.gone == [phone.sent[0].key]
    await at_work._turn(Channel.PHONE)
    assert len(phone.gone) == 1


async def test_a_question_is_told_again_as_another_message(box: Box) -> None:
    phone = Phone()
    at_work = notifier(box, phone, {"quiet": {"enabled": False}})
    note = await box.note(planned=False)
    await at_work._plan_turn()
    for _ in range(5 * 60):
        await at_work._turn(Channel.PHONE)
        box.now += 60
    assert [message.key for message in phone.sent] == [
        f"taskhub-{note}", f"taskhub-{note}-1", f"taskhub-{note}-2"]  # fmt: skip
    await box.answer(note)
    await at_work._turn(Channel.PHONE)
    assert sorted(phone.gone) == sorted(message.key for message in phone.sent)


async def test_a_channel_that_the_worker_has_not_is_not_planned_and_says_so(box: Box) -> None:
    at_work = notifier(box, Phone())
    await box.store.write(lambda tx: presence.report(tx, "app", False, box.now - 600, box.now))
    note = await box.note(planned=False)
    await at_work._plan_turn()
    (task,) = await box.hub.tasks()
    told = next(one for one in await box.hub.told(task.id) if one.notification.id == note)
    said = {one.channel: (one.due, one.reason) for one in told.tellings}
    assert said["terminal"] == (box.now, "Somebody has to act. The app is not in front.")
    assert said["desktop"] == (
        None, "It was switched on after the worker started; the next one has it."
    )  # fmt: skip
    assert said["phone"][0] is not None


async def test_after_an_answer_nothing_waits_to_be_told_again(box: Box) -> None:
    at_work = notifier(box, Phone(), {"quiet": {"enabled": False}})
    note = await box.note(planned=False)
    await at_work._plan_turn()
    box.now += 120
    await at_work._turn(Channel.PHONE)
    assert await box.store.read(outbox.any_queued), "in an hour, and in four"
    await box.answer(note)
    await at_work._turn(Channel.PHONE)
    assert not await box.store.read(outbox.any_queued), "or its worker would stay for hours"


async def test_a_wish_for_a_task_holds_as_soon_as_it_is_written(
    box: Box, where: Paths, settings: Settings
) -> None:
    phone = Phone()
    quiet = "[notifications.quiet]\nenabled = false\n[notifications.phone]\nenabled = true\n"
    where.config.write_text(quiet + "topic = 't'\n")
    at_work = notifier(box, phone, reread=Latest(where))
    where.config.write_text(
        quiet + "topic = 't'\n[notifications.tasks.'agent:command']\nmute = true\n"
    )
    await box.note(planned=False)
    await at_work._plan_turn()
    assert not await box.store.read(outbox.any_queued)
    where.config.write_text("[notifications]\nloud = 1\n")
    await box.note(planned=False)
    await at_work._plan_turn()
    assert not await box.store.read(outbox.any_queued), "a mistake changes nothing"


async def test_what_was_told_is_in_the_history_of_its_task(box: Box) -> None:
    note = await box.note()
    assert await box.send() == [note]
    found = await box.store.read(lambda r: notices.notification_by_id(r, note))
    assert found is not None
    told = [e for e in await box.hub.events(found.task_id) if e.kind == "told"]
    assert [(e.channel, e.data["reason"]) for e in told] == [("phone", "So it is.")]
