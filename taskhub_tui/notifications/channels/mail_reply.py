"""What a mail in the mailbox says: a person's answer to one of ours, or nothing to us.

Whatever is in it was written by others. It is read as far as it takes to find the token that one of
our mails carried, and the person's own words; a machine's answer is none.
"""

from __future__ import annotations

import html
import logging
import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.utils import parseaddr

from taskhub_tui.domain.model import Action
from taskhub_tui.notifications.spoken import meant
from taskhub_tui.text import clean, one_line

log = logging.getLogger("taskhub.mail")

WORDS = 4000
"""Most characters of an answer."""
TEXT = 65536
"""Bytes of a mail's text that are looked at: its own words stand at its beginning."""
ANSWER = "answer"
"""Names the token of a question that wants words: whatever is written is the answer."""
_HEADER = 4000
_DEPTH = 200
_WORD = r"([a-z_]{1,20})"
_SECRET = r"([A-Za-z0-9_-]{32,128})"
_IN_ID = re.compile(rf"<taskhub-answer\.{_WORD}\.{_SECRET}@")
_PAIR = re.compile(rf"{_WORD}={_SECRET}")
_LINE = re.compile(r"\[taskhub [^\[\]]{1,2000}\]")
_QUOTE = re.compile(r"\s*\n[>\s]*")
_END = re.compile(
    r"-{2,}\s*(original message|forwarded message|ursprüngliche nachricht|message d.origine"
    r"|mensaje original|messaggio originale)|_{10,}|(from|von|de|da|van):\s.{0,200}@"
    r"|sent from (my|mail|yahoo|outlook)|get outlook for|gesendet von|von meinem .{1,40} gesendet"
    r"|envoyé de(puis)? mon|enviado desde",
    re.I,
)
"""Begins what programs write below a person's words, where they mark it by nothing else."""
_OF_NAMES = frozenset({"punycode", "idna"})
"""Encodings of names of hosts, which take long for long texts."""
_WROTE = re.compile(r"(on|am|le|el|il|em|op|den|på|w dniu|dne)\b", re.I)
_ROBOTS = re.compile(r"(mailer-daemon|postmaster|no-?reply|do-?not-?reply)[@+]", re.I)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to one of our mails."""

    line: str
    """Such as "TOKEN deny not on a Friday"."""
    sender: str
    """The address that it says it is from. It proves nothing: the token does."""


def read(raw: bytes) -> Reply | None:
    """Return the answer in a mail; None for what answers none of ours, or a machine wrote."""
    try:
        return _read(message_from_bytes(raw))
    except Exception as error:
        # The parser of mails has a bug for every way to write one that no standard knows.
        log.debug("mail: one cannot be read: %s", type(error).__name__)
        return None


def _read(mail: Message) -> Reply | None:
    sender = one_line(parseaddr(_header(mail, "From"))[1], 200)
    if not sender or _by_a_machine(mail, sender):
        return None
    text = _text(mail)
    tokens = _tokens(mail, text)
    if not tokens:
        return None
    action, said = _answer(_own(text), tokens)
    if not action:
        return None
    # What cannot be answered so is refused, and written down, by whoever knows the token.
    token = tokens.get(action) or tokens.get(ANSWER) or next(iter(tokens.values()))
    return Reply(f"{token} {action} {said}".strip(), sender)


def _header(mail: Message, name: str) -> str:
    return str(mail.get(name, ""))[:_HEADER]


def _by_a_machine(mail: Message, sender: str) -> bool:
    """Tell whether it is an automatic reply, a notice of absence, a bounce or from a list."""
    automatic = _header(mail, "Auto-Submitted").split(";")[0].strip().lower()
    precedence = _header(mail, "Precedence").strip().lower()
    return (
        automatic not in ("", "no")
        or precedence in ("bulk", "junk", "list", "auto_reply")
        or any(name in mail for name in ("X-Autoreply", "X-Autorespond", "X-Failed-Recipients"))
        or _header(mail, "Return-Path").strip() == "<>"
        or mail.get_content_type() in ("multipart/report", "message/delivery-status")
        or _ROBOTS.match(sender) is not None
    )


def _text(mail: Message) -> str:
    """Return the text that a person would read; from HTML where there is nothing else."""
    plain = hyper = ""
    for part in _parts(mail):
        if not plain and part.get_content_type() == "text/plain":
            plain = _decoded(part)
        elif not hyper and part.get_content_type() == "text/html":
            hyper = _decoded(part)
    return clean(plain if plain.strip() else _from_html(hyper), TEXT)


def _parts(mail: Message) -> list[Message]:
    """Return the parts with text, without files that are attached, and mails within the mail."""
    found: list[Message] = []
    waiting = [mail]
    while waiting and len(found) < _DEPTH:
        part = waiting.pop()
        if part.get_content_disposition() == "attachment" or part.get_filename():
            continue
        if part.get_content_maintype() == "multipart" and isinstance(part.get_payload(), list):
            inner = [one for one in part.get_payload() if isinstance(one, Message)]
            waiting += reversed(inner)
        elif part.get_content_maintype() == "text":
            found.append(part)
    return found


def _decoded(part: Message) -> str:
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        return ""
    charset = part.get_content_charset() or "utf-8"
    try:
        return raw[:TEXT].decode("utf-8" if charset in _OF_NAMES else charset, "replace")
    except (LookupError, ValueError):
        # No such encoding: the words that matter are in ASCII.
        return raw[:TEXT].decode("utf-8", "replace")


def _tokens(mail: Message, text: str) -> dict[str, str]:
    """Return action → token: from what the mail refers to, or from the line that it quotes."""
    refers = f"{_header(mail, 'References')} {_header(mail, 'In-Reply-To')}"
    found = dict(_IN_ID.findall(refers))
    for line in _LINE.findall(text):
        for action, token in _PAIR.findall(_QUOTE.sub(" ", line)):
            found.setdefault(action, token)
    return found


def _own(text: str) -> list[str]:
    """Return the lines that the person wrote: above the quotation, or below it."""
    above: list[str] = []
    below: list[str] = []
    quoted = False
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith(">"):
            if not quoted:
                _drop_introduction(above)
            quoted = True
            continue
        if bare == "--" or _END.match(bare) or bare.startswith("[taskhub "):
            break
        (below if quoted else above).append(bare)
    return above if any(above) else below


def _drop_introduction(lines: list[str]) -> None:
    """Drop what a program writes before a quotation, such as "On Monday ann wrote:"."""
    while lines and not lines[-1]:
        lines.pop()
    if not lines or not lines[-1].endswith(":"):
        return
    for number in range(len(lines) - 1, max(-1, len(lines) - 4), -1):
        if _WROTE.match(lines[number]):
            del lines[number:]
            return
    if "@" in lines[-1]:
        lines.pop()


def _answer(own: list[str], tokens: dict[str, str]) -> tuple[str, str]:
    """Return the decision and the words that go with it; "" where nothing was written."""
    said = "\n".join(own).strip()
    if not said:
        return "", ""
    first, *rest = said.split(maxsplit=1)
    words = rest[0][:WORDS].strip() if rest else ""
    action = meant(first)
    if ANSWER not in tokens:
        return (action.value if action else one_line(first, 40).casefold()), words
    # Words are what is wanted: one that begins with "no" is an answer, too.
    if action is not None and not words and action.value in tokens and first.strip(".!").isalpha():
        return action.value, ""
    if action is Action.PROVIDE_CONTEXT and words:
        said = words
    return Action.PROVIDE_CONTEXT.value, said[:WORDS]


_TAG = re.compile(r"<!--.*?(?:-->|\Z)|<(/?)([a-zA-Z][a-zA-Z0-9]{0,15})([^<>]*)>|<[!?][^<>]*>", re.S)
_BLOCKS = frozenset(
    {"p", "div", "br", "li", "tr", "table", "ul", "ol", "hr", "h1", "h2", "h3", "blockquote"}
)
_UNSEEN = frozenset({"script", "style", "title", "template"})
_OUTLOOK = ("divRplyFwdMsg", "appendonsend")
"""IDs of what Outlook puts above what it quotes, and marks by nothing else."""


def _from_html(text: str) -> str:
    """Return HTML as lines of text; what is quoted begins with ">".

    Python's own parser takes minutes for some mails that were made for that.
    """
    lines, quoted, unseen, at = [""], 0, 0, 0

    def say(words: str) -> None:
        if unseen or not words:
            return
        if quoted and not lines[-1]:
            lines[-1] = "> "
        lines[-1] += re.sub(r"\s+", " ", html.unescape(words))

    for tag in _TAG.finditer(text):
        say(text[at : tag.start()])
        at = tag.end()
        name, step = (tag[2] or "").lower(), -1 if tag[1] else 1
        if name in _BLOCKS:
            lines.append("")
        if name in _UNSEEN:
            unseen = max(0, unseen + step)
        elif name == "blockquote":
            quoted = max(0, quoted + step)
        elif step > 0 and any(one in tag[3] for one in _OUTLOOK if tag[3]):
            lines += ["_" * 20, ""]
    say(text[at:])
    return "\n".join(lines)
