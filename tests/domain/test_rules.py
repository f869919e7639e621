"""What a rule allows, and what no rule ever does."""

from dataclasses import replace
from typing import Any

import pytest

from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import Blocker, BlockerKind, Status, Task
from taskhub_tui.domain.rules import Rule, Scope, allowing, checked, proposed, words

TASK = Task(
    id="abcd2345",
    n=1,
    title="",
    request="",
    owner="ann",
    agent="coder",
    workdir="/home/ann/project",
    status=Status.BLOCKED,
    created=0,
    changed=0,
    seq=0,
    playbook="release",
    stage_agent="coder",
)


def asking(**detail: Any) -> Blocker:
    return Blocker("q", TASK.id, 0, "may-i", BlockerKind.APPROVAL, "May I?", 1, 0, detail=detail)


def rule(scope: Scope, value: str) -> Rule:
    return Rule("r", scope, checked(scope, value), 0, "ann", "cli")


def allowed(pattern: str, **detail: Any) -> bool:
    return allowing([rule(Scope.COMMAND, pattern)], TASK, asking(**detail)) is not None


@pytest.mark.parametrize(
    ("scope", "fits", "not_"),
    [
        (Scope.TASK, "abcd2345", "abcd2346"),
        (Scope.PLAYBOOK, "release", "deploy"),
        (Scope.AGENT, "coder", "other"),
        (Scope.FOLDER, "/home/ann//project/", "/home/ann/proj"),
        (Scope.FOLDER, "/home/ann", "/home/ann/project/sub"),
    ],
)
def test_a_rule_holds_for_what_it_names(scope: Scope, fits: str, not_: str) -> None:
    assert allowing([rule(scope, fits)], TASK, asking()) is not None
    assert allowing([rule(scope, not_)], TASK, asking()) is None
    assert words(scope, fits).startswith("Always allow")
    gone = replace(rule(scope, fits), revoked=1.0)
    assert allowing([gone], TASK, asking()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"risk": "high"},
        {"kind": BlockerKind.INPUT},
        {"kind": BlockerKind.AUTH},
        {"kind": BlockerKind.STALLED},
        {"key": "gate"},
        {"key": "review"},
        {"state": "answered"},
    ],
)
def test_no_rule_answers_what_was_put_there_to_be_asked(changes: dict[str, Any]) -> None:
    rules = [rule(Scope.AGENT, "coder"), rule(Scope.COMMAND, "make *")]
    question = asking(command="make all")
    assert allowing(rules, TASK, question) is not None
    assert allowing(rules, TASK, replace(question, **changes)) is None
    if "state" not in changes:
        with pytest.raises(BadInput, match="No rule can allow this"):
            proposed(TASK, replace(question, **changes), Scope.AGENT)


@pytest.mark.parametrize(
    ("pattern", "detail"),
    [
        ("git status", {"command": "git status"}),
        ("git status", {"command": ["git", "status"]}),
        ("git status *", {"command": "git status"}),
        ("git status *", {"argv": ["git", "status", "-s", "a; b"]}),
        ("git * main", {"cmd": "git push main"}),
        ("make test-*", {"command": "make test-unit"}),
        ("echo 'a b'", {"command": ["echo", "a b"]}),
        ("a && b", {"command": "a && b"}),
        ("sh -c 'a; b'", {"command": ["sh", "-c", "a; b"]}),
        ("make *", {"commands": ["make a", "make b"]}),
        ("make *", {"arguments": {"command": "make a"}}),
    ],
)
def test_a_pattern_allows_a_command_word_by_word(pattern: str, detail: dict[str, Any]) -> None:
    assert allowed(pattern, **detail)


@pytest.mark.parametrize(
    ("pattern", "detail"),
    [
        ("git status", {"command": "git status -s"}),
        ("git status *", {"command": "git statusx"}),
        ("git status *", {"command": "git status; rm -rf /"}),
        ("git status *", {"command": "git status && rm x"}),
        ("git status *", {"command": "git status $(rm x)"}),
        ("git status *", {"command": "git status `rm x`"}),
        ("git status *", {"command": "git status \"a'$(rm x)'b\""}),
        ("git status *", {"command": "git status > /etc/passwd"}),
        ("git status *", {"command": "git status\nrm x"}),
        ("git status *", {"command": "git status ~/secret"}),
        ("rm *", {"command": "rm *.o"}),
        ("git status *", {"command": "PATH=/evil git status"}),
        ("git status *", {"command": "git status 'open"}),
        ("git status *", {"command": "git status", "script": "rm x"}),
        ("git status *", {"command": "git status", "arguments": {"command": "rm x"}}),
        ("make *", {"commands": ["make a", "rm b"]}),
        ("git status *", {"command": {"run": "rm x"}}),
        ("git status *", {"argv": ["git", 1]}),
        ("git status *", {"reason": "git status"}),
        ("a && b", {"command": "a && b && c"}),
    ],
)
def test_a_pattern_allows_nothing_it_does_not_know(pattern: str, detail: dict[str, Any]) -> None:
    assert not allowed(pattern, **detail)


@pytest.mark.parametrize(
    ("scope", "value"),
    [
        (Scope.FOLDER, "/"),
        (Scope.FOLDER, "//."),
        (Scope.FOLDER, "project"),
        (Scope.FOLDER, "/home/../etc"),
        (Scope.COMMAND, "*"),
        (Scope.COMMAND, "g* status"),
        (Scope.COMMAND, "ls | *"),
        (Scope.AGENT, " "),
        (Scope.TASK, "x" * 3000),
    ],
)
def test_a_rule_that_would_allow_everything_is_refused(scope: Scope, value: str) -> None:
    with pytest.raises(BadInput):
        checked(scope, value)


def test_a_folder_is_left_by_no_dots() -> None:
    out = replace(TASK, workdir="/home/ann/project/../../eve")
    assert allowing([rule(Scope.FOLDER, "/home/ann/project")], out, asking()) is None


def test_what_is_proposed_is_exactly_what_is_asked() -> None:
    for command in ("git push", ["git", "push", "a b"], "a && b", ["sh", "-c", "a; b"]):
        question = asking(command=command)
        value = checked(Scope.COMMAND, proposed(TASK, question, Scope.COMMAND))
        assert allowed(value, command=command)
        assert not allowed(value, command="git push --force")
    for detail in ({}, {"command": "rm *"}, {"command": "a", "script": "b"}, {"command": [1]}):
        with pytest.raises(BadInput):
            proposed(TASK, asking(**detail), Scope.COMMAND)
    with pytest.raises(BadInput, match="has no playbook"):
        proposed(replace(TASK, playbook=None), asking(), Scope.PLAYBOOK)


def test_the_narrowest_rule_is_named() -> None:
    found = [rule(Scope.AGENT, "coder"), rule(Scope.TASK, TASK.id), rule(Scope.COMMAND, "make *")]
    assert allowing(found, TASK, asking(command="make a")) is found[2]
    assert allowing(found, TASK, asking()) is found[1]
