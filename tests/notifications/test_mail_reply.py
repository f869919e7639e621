"""What a mail says to us: a person's own words, found below, above or between what programs add."""

import time
from email.message import EmailMessage

import pytest
from replies import TOKENS, reply_to, sent_by_us

from taskhub_tui.notifications.channels.imap import MAIL
from taskhub_tui.notifications.channels.mail_reply import WORDS, Reply, read

APPROVE, DENY, CONTEXT = TOKENS["approve"], TOKENS["deny"], TOKENS["context"]
ANN = "ann@example.org"


def line(mail: EmailMessage | bytes) -> str | None:
    found = read(mail if isinstance(mail, bytes) else mail.as_bytes())
    return None if found is None else found.line


@pytest.fixture
def ours() -> EmailMessage:
    return sent_by_us()


@pytest.mark.parametrize(
    ("words", "means"),
    [
        ("DENY", f"{DENY} deny"),
        ("yes", f"{APPROVE} approve"),
        ("Ok!", f"{APPROVE} approve"),
        ("approve K7QM\n", f"{APPROVE} approve K7QM"),
        ("No, not on a\nFriday", f"{DENY} deny not on a\nFriday"),
        ("reply: use eu-1", f"{CONTEXT} context use eu-1"),
        ("What is this?", f"{APPROVE} what is this?"),
        ("no\n\n-- \nAnn\nChief of everything", f"{DENY} deny"),
        ("no\n\nSent from my telephone", f"{DENY} deny"),
        ("no\n\nVon meinem iPhone gesendet", f"{DENY} deny"),
        ("\n\n  no  \n", f"{DENY} deny"),
        ("", None),
    ],
)
def test_the_first_word_decides_and_the_others_go_with_it(
    ours: EmailMessage, words: str, means: str | None
) -> None:
    assert line(reply_to(ours, words)) == means
    assert read(reply_to(ours, "no").as_bytes()) == Reply(f"{DENY} deny", ANN)


@pytest.mark.parametrize(
    "introduction",
    [
        "On Mon, 3 May 2027 at 10:00, TaskHub <hub@example.org> wrote:",
        "On Mon, 3 May 2027 at 10:00, TaskHub\n<hub@example.org> wrote:",
        "Am 03.05.27 um 10:00 schrieb TaskHub:",
        "Le lun. 3 mai 2027 à 10:00, TaskHub <hub@example.org> a écrit :",
        "2027-05-03 10:00 TaskHub <hub@example.org>:",
    ],
)
def test_what_a_program_writes_before_a_quotation_is_not_the_persons(
    ours: EmailMessage, introduction: str
) -> None:
    assert line(reply_to(ours, "no, later", introduction=introduction)) == f"{DENY} deny later"
    below = reply_to(ours, "no, later", introduction=introduction, below=True)
    assert line(below) == f"{DENY} deny later"


def test_the_token_is_found_in_what_is_referred_to_or_in_what_is_quoted(
    ours: EmailMessage,
) -> None:
    assert line(reply_to(ours, "no", quotes=False)) == f"{DENY} deny"
    assert line(reply_to(ours, "no", refers=False)) == f"{DENY} deny"
    assert line(reply_to(ours, "no", refers=False, width=60)) == f"{DENY} deny"
    assert line(reply_to(ours, "no", refers=False, quotes=False)) is None
    assert line(ours) is None, "our own mail, should it lie there"


def test_outlook_quotes_without_a_sign(ours: EmailMessage) -> None:
    for mark in (
        "-----Original Message-----\nFrom: TaskHub <hub@example.org>",
        "________________________________\nFrom: TaskHub",
        "From: TaskHub <hub@example.org>\nSent: Monday",
        "Von: TaskHub <hub@example.org>",
    ):
        mail = reply_to(ours, "no, later", introduction=mark, sign="")
        assert line(mail) == f"{DENY} deny later"


def test_a_mail_in_html_only_is_read_as_it_looks(ours: EmailMessage) -> None:
    def html(body: str) -> EmailMessage:
        mail = reply_to(ours, "", quotes=False, refers=False)
        mail.set_content(f"<html><head><title>yes</title></head>{body}</html>", subtype="html")
        return mail

    quoted = ours.get_body(("html",))
    assert quoted is not None
    inner = quoted.get_content()
    gmail = (
        '<div dir="ltr">No, not on<br>a <b>Fri</b>day</div><br><div class="gmail_quote">'
        f"<div>On Mon, TaskHub &lt;hub@example.org&gt; wrote:</div><blockquote>{inner}"
        "</blockquote></div>"
    )
    assert line(html(gmail)) == f"{DENY} deny not on\na Friday"
    outlook = (
        "<style>yes {}</style><script>yes</script><p>no, later</p>"
        f'<div id="divRplyFwdMsg"><b>From:</b> TaskHub</div><div>{inner}</div>'
    )
    assert line(html(outlook)) == f"{DENY} deny later"
    assert line(html(f"<blockquote>{inner}</blockquote><p>yes</p>")) == f"{APPROVE} approve"


def test_where_words_are_wanted_they_are_the_answer() -> None:
    ours = sent_by_us(words=True)
    for words, means in (
        ("eu-1, please", f"{CONTEXT} context eu-1, please"),
        ("No", f"{CONTEXT} context No"),
        ("cancel the old ones", f"{CONTEXT} context cancel the old ones"),
        ("reply deny", f"{CONTEXT} context deny"),
        ("Deny.", f"{DENY} deny"),
    ):
        expected = f"{DENY} deny" if words == "No" else means
        assert line(reply_to(ours, words)) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "auto-replied"},
        {"Auto-Submitted": "auto-generated; x=y"},
        {"Precedence": "bulk"},
        {"Precedence": "Auto_Reply"},
        {"X-Autoreply": "yes"},
        {"Return-Path": "<>"},
        {"X-Failed-Recipients": "ann@example.org"},
    ],
)
def test_what_a_machine_writes_is_no_answer(ours: EmailMessage, headers: dict[str, str]) -> None:
    assert line(reply_to(ours, "yes", **headers)) is None
    assert line(reply_to(ours, "yes", **{"Auto-Submitted": "no"})) is not None


def test_a_bounce_is_no_answer(ours: EmailMessage) -> None:
    bounce = reply_to(ours, "yes")
    bounce.replace_header("From", "Mail Delivery <MAILER-DAEMON@example.org>")
    assert line(bounce) is None
    report = reply_to(ours, "yes")
    report.make_mixed()
    report.replace_header("Content-Type", "multipart/report")
    assert line(report) is None


def test_files_that_are_attached_and_strange_letters_are_passed_over(ours: EmailMessage) -> None:
    mail = reply_to(ours, "no, später")
    mail.add_attachment("approve", filename="approve.txt")
    mail.add_attachment(b"\x00" * 100_000, maintype="image", subtype="png", filename="x.png")
    mail.add_attachment(ours)
    assert line(mail) == f"{DENY} deny später"
    raw = reply_to(ours, "no").as_bytes()
    for charset in (b"no-such", b"zlib", b"punycode", b"\x00", b"idna"):
        strange = raw.replace(b'charset="utf-8"', b'charset="' + charset + b'"')
        assert line(strange) in (f"{DENY} deny", None)
    assert line(raw.replace(b'charset="utf-8"', b'charset="no-such"')) == f"{DENY} deny"
    wrong = raw.replace(b"\nno\n", b"\nno \xff\xfe\x1b]0;t\x07\n")
    assert "\x1b" not in (line(wrong) or "")


def test_nothing_that_is_no_mail_stops_us(ours: EmailMessage) -> None:
    raw = reply_to(ours, "no").as_bytes()
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(3000)
    )
    for broken in (
        b"", b"\xff\xfe\x00", b"From: " + b"(" * 50_000, raw[:300], deep,
        b"From: a@b.c\nContent-Type: text/plain; charset=x\n\nyes",
        b"From: a@b.c\nReferences: " + b"<taskhub-answer." * 9000 + b"\n\nyes",
        b"From: a@b.c\nContent-Type: text/html\n\n" + b"<blockquote>" * 5000 + b"yes",
    ):  # fmt: skip
        assert line(broken) is None
    long = line(reply_to(ours, "no " + "words " * 40_000, quotes=False))
    assert long is not None
    assert len(long) < WORDS + 100


def test_no_mail_keeps_us_for_long() -> None:
    html = b"From: a@b.c\nContent-Type: text/html\n\n"
    began = time.process_time()
    for piece in (b"<!--", b"<!", b"<?", b"</", b"<![CDATA[", b"&", b"<a x='"):
        assert line((html + piece * MAIL)[:MAIL]) is None
    plain = b'From: a@b.c\nContent-Type: text/plain; charset="punycode"\n\na-'
    assert line((plain + b"b" * MAIL)[:MAIL]) is None
    assert time.process_time() - began < 5, "the parser of Python took a minute"
