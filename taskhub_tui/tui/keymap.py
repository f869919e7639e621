"""The user's own keys: what the `[keys]` table of the settings makes of the list of actions."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from textual.keys import Keys, _character_to_key, key_to_character

from taskhub_tui.records import dataclass
from taskhub_tui.tui.actions import ACTIONS, BY_ID, FIXED, TITLES, Act, no_key, together

_OTHER_NAMES = {
    "esc": "escape",
    "return": "enter",
    "del": "delete",
    "ins": "insert",
    "pgup": "pageup",
    "page_up": "pageup",
    "pgdn": "pagedown",
    "page_down": "pagedown",
    "backtab": "shift+tab",
    "spacebar": "space",
}
_SENT_AS = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape"}
"""What terminals cannot tell apart, and by which name it comes."""
_MODIFIERS = ("alt", "ctrl", "hyper", "meta", "shift", "super")
_CHARACTERS = {_character_to_key(chr(code)) for code in range(33, 127)}
_NAMES = (
    {key.value for key in Keys if "+" not in key.value and "<" not in key.value}
    | _CHARACTERS
    | {f"f{number}" for number in range(1, 36)}
)
_WRITTEN = {
    "escape": "esc",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "delete": "del",
    "slash": "/",
    "backslash": "\\",
    "at": "@",
    "minus": "-",
    "plus": "+",
    "underscore": "_",
}


_ARROWS = {"↑": "up", "↓": "down", "←": "left", "→": "right"}


def normal(key: str) -> str:
    """Return the name that Textual has for a key.

    Raises:
        ValueError: there is no such key; says why, in a sentence.
    """
    words = key.strip()
    if not words:
        raise ValueError("a key has no name")
    *modifiers, last = words.rsplit("+", 1) if not words.endswith("+") else [words[:-1], "+"]
    given = [one for one in "+".join(modifiers).lower().split("+") if one]
    if wrong := [one for one in given if one not in _MODIFIERS]:
        raise ValueError(f"`{key}`: `{wrong[0]}` is not one of {', '.join(_MODIFIERS)}")
    name = last if len(last) == 1 else _OTHER_NAMES.get(last.lower(), last.lower())
    if len(name) == 1:
        if "shift" in given and name.isalpha():
            given.remove("shift")
            name = name.upper()
        name = _character_to_key(name)
    elif name not in _NAMES and name != "shift+tab":
        near = get_close_matches(name, [*_NAMES, *_OTHER_NAMES], 1)
        raise ValueError(f"`{key}` is not a key{f'; do you mean `{near[0]}`?' if near else ''}")
    whole = "+".join([*sorted(set(given)), name])
    if whole in _SENT_AS:
        raise ValueError(f"a terminal sends `{key}` as `{_SENT_AS[whole]}`; write that")
    return whole


def written(key: str) -> str:
    """Return how a key is written for people."""
    *modifiers, last = key.split("+")
    name = _WRITTEN.get(last) or key_to_character(last) or last
    return "+".join([*modifiers, name if name.isprintable() and name.strip() else last])


def is_letter(key: str) -> bool:
    """Return whether a key writes something in a field."""
    shown = written(key)
    return key == "space" or (len(shown) == 1 and shown not in _ARROWS)


@dataclass(frozen=True, slots=True)
class Keymap:
    """The keys of all actions."""

    own: Mapping[str, tuple[str, ...]]
    """The keys of the actions that the user gave others to; () is none."""
    problems: tuple[str, ...] = ()
    """What is wrong with the table; the rest of it holds."""
    ascii: bool = False
    """Arrows are written as words: drawn with ASCII, one would be taken for the letter v."""

    def keys(self, act_id: str) -> tuple[str, ...]:
        """Return the names of the keys of an action."""
        if (own := self.own.get(act_id)) is not None:
            return own
        act = BY_ID.get(act_id)
        return tuple(act.keys.split(",")) if act is not None and act.keys else ()

    def shown(self, act_id: str) -> str:
        """Return how the keys of an action are written; "" when it has none."""
        act = BY_ID.get(act_id)
        shown = "" if act_id in self.own or act is None else act.display
        shown = shown or " ".join(map(written, self.keys(act_id)))
        if self.ascii:
            for arrow, word in _ARROWS.items():
                shown = shown.replace(arrow, word)
        return shown

    def short(self, act_id: str) -> str:
        """The same with the first key only, for where there is little room."""
        return self.shown(act_id).partition(" ")[0]

    def for_textual(self) -> dict[str, str]:
        """Return what `App.set_keymap` wants: there "" leaves an action the key it has."""
        return {act_id: ",".join(keys) or no_key(act_id) for act_id, keys in self.own.items()}


PLAIN = Keymap({})
"""What TaskHub comes with."""


def of(app: Any) -> Keymap:
    """Return the keys of an app."""
    found = getattr(app, "own_keys", PLAIN)
    return found if isinstance(found, Keymap) else PLAIN


def read(table: Mapping[str, Sequence[str]]) -> Keymap:
    """Return the keys that a `[keys]` table gives; what is wrong in it is left out, and said."""
    own: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for act_id, names in table.items():
        if act_id not in BY_ID:
            near = (
                get_close_matches(act_id, BY_ID, 2)
                or [one for one in BY_ID if act_id.rpartition(".")[2] in one][:2]
            )
            hint = f"; do you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
            problems.append(f"`{act_id}` is not an action{hint}")
            continue
        keys: list[str] = []
        wrong = False
        for name in names:
            try:
                keys.append(normal(name))
            except ValueError as error:
                wrong = True
                problems.append(f"`{act_id}`: {error}")
        if keys or not wrong:
            own[act_id] = tuple(dict.fromkeys(keys))
    found = Keymap(own)
    return Keymap(own, (*problems, *_clashes(found)))


def for_file(table: Mapping[str, Sequence[str]], act_id: str, key: str) -> str:
    """Return how the settings name a key that an action is to have besides what `table` gives.

    Raises:
        ValueError: it cannot be its key; says why, in a sentence.
    """
    name = normal(key)
    before = read(table).problems
    for said in read({**table, act_id: (name,)}).problems:
        if said not in before:
            raise ValueError(said)
    character = key_to_character(name)
    if BY_ID[act_id].where == "form" and character is not None and character.isprintable():
        raise ValueError(f"`{written(name)}` is a letter in the fields; take one with ctrl")
    short = written(name)
    try:
        return short if normal(short) == name else name
    except ValueError:
        return name


def _fixed(written: str) -> Sequence[str]:
    return [str(n) for n in range(1, 10)] if written == "1 … 9" else [normal(written)]


def _clashes(keymap: Keymap) -> Iterator[str]:
    """Say of every key of the user's that it means two things in one place."""
    said: set[tuple[str, str, str]] = set()
    for places in together():
        taken = {
            name: meaning
            for where, key, meaning in FIXED
            if where in places
            for name in _fixed(key)
        }
        for act in (BY_ID[one] for one in keymap.own if BY_ID[one].where in places):
            for key in keymap.keys(act.id):
                if key in taken and (key, "", act.id) not in said:
                    said.add((key, "", act.id))
                    yield (
                        f"`{written(key)}` cannot be the key of `{act.id}`, it has one meaning:"
                        f" {taken[key]}"
                    )
        first: dict[str, Act] = {}
        for act in (act for act in ACTIONS if act.where in places and not act.gives_way):
            for key in keymap.keys(act.id):
                other = first.setdefault(key, act)
                pair = (key, other.id, act.id)
                if other is act or pair in said or not keymap.own.keys() & {other.id, act.id}:
                    continue
                said.add(pair)
                title = TITLES[act.where if other.where == "app" else other.where]
                where = title[0].lower() + title[1:]
                yield (f"`{written(key)}` is the key of both `{other.id}` and `{act.id}` {where}")
