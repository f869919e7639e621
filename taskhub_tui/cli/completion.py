"""Completion scripts, made from the parser, and the answers they ask for while you type."""

import argparse
import shlex
from collections.abc import Iterable, Sequence

from taskhub_tui.cli.output import Output
from taskhub_tui.cli.parser import commands, parser, summaries
from taskhub_tui.records import dataclass
from taskhub_tui.text import one_line

_KINDS = {"ID": "ids", "AGENT": "agents", "FILE": "files", "DIR": "dirs", "COMMAND": "programs"}
"""What a word is, by its name in the help."""
_MANY = 200


@dataclass(frozen=True, slots=True)
class Word:
    """An option, or a place of a command: what may stand there."""

    flags: tuple[str, ...]
    takes: str | None
    """None: no value; `choices`, one of `_KINDS`' values, or `text`."""
    choices: tuple[str, ...]
    about: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    about: str
    options: tuple[Word, ...]
    places: tuple[Word, ...]


def described() -> list[Command]:
    """Return every command with its words; the one without a name is `taskhub` itself."""
    top = parser()
    about = summaries(top)
    return [
        Command(name, about.get(name, ""), *_words(one))
        for name, one in {"": top, **commands(top)}.items()
    ]


def _words(one: argparse.ArgumentParser) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    options: list[Word] = []
    places: list[Word] = []
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        takes = None
        choices = tuple(str(choice) for choice in action.choices or ())
        if action.nargs != 0:
            takes = "choices" if choices else _KINDS.get(str(action.metavar), "text")
        word = Word(
            tuple(action.option_strings),
            takes,
            choices,
            action.help or "",
            many=action.nargs in ("+", "*", argparse.REMAINDER),
        )
        (options if action.option_strings else places).append(word)
    return tuple(options), tuple(places)


def script(shell: str) -> str:
    """Return the completion script for `bash`, `zsh` or `fish`."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](described())


def answer(asked: Sequence[str], out: Output) -> int:
    """Print what a script asks for, `word<Tab>description` a line. Never fails, never starts work.

    A hub that does not exist yet is not made for it.
    """
    import asyncio

    from taskhub_tui import config
    from taskhub_tui.domain.errors import TaskHubError

    if asked[:1] not in (["ids"], ["agents"]):
        return 0
    try:
        if not config.paths().database.exists():
            return 0
        found = asyncio.run(_known(asked[0]))
    except (TaskHubError, OSError):
        return 0
    for word, about in found:
        print(f"{word}\t{one_line(about, 60)}", file=out.out)
    return 0


async def _known(what: str) -> list[tuple[str, str]]:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli", autostart=False) as hub:
        if what == "agents":
            return [(card.name, card.title) for card in hub.agents()]
        tasks = await hub.tasks(limit=_MANY)
        return [(task.id, f"{task.status.value}: {task.title}") for task in tasks]


def _bash(known: Iterable[Command]) -> str:
    values: list[str] = []
    options: list[str] = []
    places: list[str] = []
    takers: list[str] = []
    names: list[str] = []
    for command in known:
        if command.name:
            names.append(command.name)
        flags = " ".join(flag for word in command.options for flag in word.flags)
        name = command.name or "''"
        options.append(f"        {name}) words={shlex.quote(flags)} ;;")
        taking = [word for word in command.options if word.takes]
        for word in taking:
            for flag in word.flags:
                values.append(f"        {command.name}:{flag}) {_bash_offer(word)}; return ;;")
        takers += [f"{command.name}:{flag}" for word in taking for flag in word.flags]
        for number, word in enumerate(command.places, 1):
            spot = f"{command.name}:*" if word.many else f"{command.name}:{number}"
            places.append(f"        {spot}) {_bash_offer(word)} ;;")
    return _BASH.format(
        names=" ".join(names),
        skip="|".join(takers),
        values="\n".join(values),
        options="\n".join(options),
        places="\n".join(places),
    )


def _bash_offer(word: Word) -> str:
    match word.takes:
        case "choices":
            return f"_taskhub_words {shlex.quote(' '.join(word.choices))}"
        case "ids" | "agents":
            return f'_taskhub_words "$(taskhub __complete {word.takes} 2>/dev/null | cut -f1)"'
        case "files":
            return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur"))'
        case "dirs":
            return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur"))'
        case "programs":
            return 'COMPREPLY=($(compgen -c -- "$cur"))'
        case _:
            return "COMPREPLY=()"


_BASH = """\
# bash completion for taskhub; load it with:  source <(taskhub completion bash)
_taskhub_words() {{
    COMPREPLY=($(compgen -W "$1" -- "$cur"))
}}

_taskhub() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
    local command="" place=0 i word before words
    local IFS=$' \\t\\n'
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}} before=${{COMP_WORDS[i-1]}}
        if [[ $command == run && $word == -- ]]; then
            place=1
            break
        fi
        [[ $word == -* ]] && continue
        if [[ -z $command ]]; then
            command=$word
            continue
        fi
        case "$command:$before" in
            {skip}) ;;
            *) ((place++)) ;;
        esac
    done
    if [[ $command == run && $place -gt 0 ]]; then
        if ((i == COMP_CWORD - 1)); then
            COMPREPLY=($(compgen -c -- "$cur"))
        else
            compopt -o filenames 2>/dev/null
            COMPREPLY=($(compgen -f -- "$cur"))
        fi
        return
    fi
    case "$command:$prev" in
{values}
    esac
    if [[ $cur == -* ]]; then
        case "$command" in
{options}
        esac
        _taskhub_words "$words"
        return
    fi
    if [[ -z $command ]]; then
        _taskhub_words "{names}"
        return
    fi
    case "$command:$((place + 1))" in
{places}
    esac
}}
complete -F _taskhub taskhub
"""


def _zsh(known: Iterable[Command]) -> str:
    listed, cases = [], []
    for command in known:
        specs = [spec for word in command.options for spec in _zsh_option(word)]
        for number, word in enumerate(command.places, 1):
            spot = "*" if word.many else str(number)
            specs.append(_quoted(f"{spot}:{_zsh_text(word.about or 'word')}:{_zsh_offer(word)}"))
        joined = " \\\n                ".join(specs)
        if command.name:
            listed.append(f"        {_quoted(f'{command.name}:{_zsh_text(command.about)}')}")
            if command.name == "run":
                joined = joined.rsplit(" \\\n", 2)[0] + " \\\n                '*::: :_normal'"
            cases.append(
                f"            {command.name})\n                _arguments -s \\\n"
                f"                {joined}\n                ;;"
            )
        else:
            top = joined
    return _ZSH.format(top=top, names="\n".join(listed), cases="\n".join(cases))


def _zsh_option(word: Word) -> list[str]:
    value = f":{word.takes}:{_zsh_offer(word)}" if word.takes else ""
    return [_quoted(f"*{flag}[{_zsh_text(word.about)}]{value}") for flag in word.flags]


def _zsh_offer(word: Word) -> str:
    match word.takes:
        case "choices":
            return f"({' '.join(word.choices)})"
        case "ids" | "agents":
            return f"_taskhub_{word.takes}"
        case "files":
            return "_files"
        case "dirs":
            return "_files -/"
        case _:
            return " "


def _zsh_text(text: str) -> str:
    for letter in "\\[]:`$":
        text = text.replace(letter, "\\" + letter if letter in "\\[]:" else "")
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_ZSH = """\
#compdef taskhub
# zsh completion for taskhub; load it with:  source <(taskhub completion zsh)
_taskhub_ids() {{
    local -a found
    found=("${{(@f)$(taskhub __complete ids 2>/dev/null | sed 's/:/\\\\:/g; s/\\t/:/')}}")
    _describe task found
}}

_taskhub_agents() {{
    local -a found
    found=("${{(@f)$(taskhub __complete agents 2>/dev/null | sed 's/:/\\\\:/g; s/\\t/:/')}}")
    _describe agent found
}}

_taskhub() {{
    local curcontext="$curcontext" state line
    local -a names
    names=(
{names}
    )
    _arguments -C \\
                {top} \\
                '1: :->command' '*:: :->words' && return
    case $state in
        command) _describe command names ;;
        words)
            case $line[1] in
{cases}
            esac
            ;;
    esac
}}

if [[ $funcstack[1] == _taskhub ]]; then
    _taskhub "$@"
else
    compdef _taskhub taskhub
fi
"""


def _fish(known: Iterable[Command]) -> str:
    lines = [
        "# fish completion for taskhub; load it with:  taskhub completion fish | source",
        "complete -c taskhub -f",
    ]
    for command in known:
        when = "__fish_use_subcommand"
        if command.name:
            about = _fish_text(command.about)
            lines.append(f"complete -c taskhub -n {when} -a {command.name} -d {about}")
            when = f"'__fish_seen_subcommand_from {command.name}'"
        for word in command.options:
            flags = " ".join(
                f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                for flag in word.flags
            )
            line = f"complete -c taskhub -n {when} {flags} -d {_fish_text(word.about)}"
            lines.append(line + _fish_value(word))
        for word in command.places:
            if word.takes in ("choices", "ids", "agents"):
                lines.append(f"complete -c taskhub -n {when} -a {_fish_offer(word)}")
            elif word.takes == "programs":
                lines.append(
                    f"complete -c taskhub -n {when} -a '(__fish_complete_subcommand --fcs-skip=2)'"
                )
    return "\n".join(lines) + "\n"


def _fish_value(word: Word) -> str:
    match word.takes:
        case None:
            return ""
        case "choices" | "ids" | "agents":
            return f" -xa {_fish_offer(word)}"
        case "files":
            return " -rF"
        case "dirs":
            return " -xa '(__fish_complete_directories)'"
        case _:
            return " -x"


def _fish_offer(word: Word) -> str:
    if word.takes == "choices":
        return _fish_text(" ".join(word.choices))
    return f"'(taskhub __complete {word.takes} 2>/dev/null)'"


def _fish_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
