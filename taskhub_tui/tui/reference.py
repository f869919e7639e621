"""Prints docs/keys.md: `python -m taskhub_tui.tui.reference > docs/keys.md`."""

from taskhub_tui.tui.actions import ACTIONS, FIXED, TITLES
from taskhub_tui.tui.keymap import PLAIN, written

_HEAD = """\
<!-- Made by `python -m taskhub_tui.tui.reference`; a test fails when it is stale. -->
# Keys

`?` shows the keys of the place you are in, and finds them by words; `:` runs an action by its name.
In the app both show the keys as you have set them.

"""
_TAIL = """\
## Keys of your own

In the settings (`,`), Enter on a key and then the new one changes it at once. Or in the file:

```toml
[keys]                      # in config.toml; see settings.md
"task.open" = "l"           # the name of the action, as above, in quotes; and its key
"list.down" = ["j", "ctrl+n"]
"task.cancel" = []          # no key; `:` still finds it
```

An action has the keys you give it and no others. A key is a character (`l`, `L`, `?`), a name
(`enter`, `esc`, `space`, `tab`, `up`, `pgdn`, `f5`), or either with `ctrl+`, `alt+` or `shift+`
before it. What a terminal cannot tell apart is refused: it sends `ctrl+i` as `tab` and `ctrl+m` as
`enter`. A name that no action has, a key that does not exist, and a key with two meanings in one
place are said when the app opens, and by `taskhub doctor`; all else in the table holds.
"""


def markdown() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for where, title in TITLES.items():
        parts.append(f"## {title}\n\n| key | | action |\n|---|---|---|\n")
        for act in ACTIONS:
            if act.where == where:
                keys = " ".join(f"`{written(key)}`" for key in PLAIN.keys(act.id))
                parts.append(
                    f"| {keys.replace('|', chr(92) + '|')} | {act.meaning} | `{act.id}` |\n"
                )
        for place, key, meaning in FIXED:
            if place == where:
                parts.append(f"| `{key}` | {meaning} | |\n")
        parts.append("\n")
    return "".join([*parts, _TAIL])


if __name__ == "__main__":
    print(markdown(), end="")
