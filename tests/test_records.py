"""What is made lazily is a frozen dataclass like any other."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from taskhub_tui import records

BOTH = [
    pytest.param(dataclasses.dataclass, id="standard library"),
    pytest.param(records.dataclass, id="lazily"),
]


@records.dataclass(frozen=True, slots=True)
class Point:
    """A place."""

    x: int
    y: int = 0
    tags: list[str] = dataclasses.field(default_factory=list)
    seen: bool = dataclasses.field(default=False, compare=False)


def _made(dataclass: Any) -> Any:
    @dataclass(frozen=True, slots=True)
    class Thing:
        x: int
        y: int = 0
        tags: list[str] = dataclasses.field(default_factory=list)
        seen: bool = dataclasses.field(default=False, compare=False)

        @property
        def far(self) -> int:
            return self.x + self.y

    return Thing


def _same(say: Callable[[Any], Any]) -> Any:
    """Return what both kinds of class say, which must be the same."""
    one, other = (say(_made(dataclass)) for dataclass in (dataclasses.dataclass, records.dataclass))
    assert one == other
    return one


def test_objects_are_made_from_places_names_and_defaults():
    def values(thing: Any) -> Any:
        return dataclasses.astuple(thing)

    assert _same(lambda make: values(make(1))) == (1, 0, [], False)
    assert _same(lambda make: values(make(1, 2, ["a"], True))) == (1, 2, ["a"], True)
    assert _same(lambda make: values(make(y=3, x=2))) == (2, 3, [], False)
    assert _same(lambda make: make(1, 2).far) == 3
    assert _same(lambda make: repr(make(1))).endswith("Thing(x=1, y=0, tags=[], seen=False)")


def test_each_object_has_defaults_of_its_own():
    one, other = Point(1), Point(1)
    one.tags.append("a")

    assert other.tags == []


@pytest.mark.parametrize("dataclass", BOTH)
@pytest.mark.parametrize(
    ("given", "named", "said"),
    [
        ((), {}, "x"),
        ((1,), {"z": 2}, "z"),
        ((1,), {"x": 2}, "x"),
        ((1, 2, [], True, 5), {}, "6"),
    ],
)
def test_what_is_missing_or_unknown_is_refused(dataclass, given, named, said):
    make = _made(dataclass)
    for _ in range(2):  # The first object is made by another way.
        with pytest.raises(TypeError, match=said):
            make(*given, **named)


@pytest.mark.parametrize("dataclass", BOTH)
def test_nothing_of_it_changes(dataclass):
    thing = _made(dataclass)(1)

    with pytest.raises(dataclasses.FrozenInstanceError):
        thing.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del thing.x
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        thing.z = 2
    assert (thing.x, hasattr(thing, "__dict__")) == (1, False)


def test_equal_is_what_holds_the_same():
    assert Point(1, tags=[]) == Point(1) != Point(2)
    assert Point(1, seen=True) == Point(1)
    assert Point(1) != _made(records.dataclass)(1)
    assert (Point(1) == 1) is False


@pytest.mark.parametrize("dataclass", BOTH)
def test_its_hash_is_that_of_what_it_holds(dataclass):
    @dataclass(frozen=True, slots=True)
    class Pair:
        one: str
        two: str

    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    assert len({Pair("a", "b"), Pair("a", "b"), Pair("b", "a")}) == 2
    assert len({Nothing(), Nothing()}) == 1
    assert Nothing() == Nothing()
    with pytest.raises(TypeError):
        hash(_made(dataclass)(1))  # It holds a list.


@pytest.mark.parametrize("dataclass", BOTH)
def test_methods_of_its_own_stay(dataclass):
    @dataclass(frozen=True, slots=True)
    class Own:
        x: int

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("negative")

        def __repr__(self) -> str:
            return f"<{self.x}>"

        def __eq__(self, other: object) -> bool:
            return True

    assert repr(Own(1)) == "<1>"
    assert Own(1) == Own(2)
    assert hash(Own(1)) == hash(Own(1))
    with pytest.raises(ValueError, match="negative"):
        Own(-1)


def test_the_standard_library_takes_it_for_one_of_its_own():
    thing = Point(1, 2)

    assert dataclasses.is_dataclass(Point)
    assert [one.name for one in dataclasses.fields(Point)] == ["x", "y", "tags", "seen"]
    assert dataclasses.replace(thing, y=5) == Point(1, 5)
    assert dataclasses.asdict(thing) == {"x": 1, "y": 2, "tags": [], "seen": False}
    match thing:
        case Point(1, y):
            assert y == 2
        case _:
            raise AssertionError("it does not match by place")


def test_copies_and_pickles_hold_the_same():
    thing = Point(1, tags=["a"])

    assert copy.copy(thing) == copy.deepcopy(thing) == pickle.loads(pickle.dumps(thing)) == thing
    assert copy.deepcopy(thing).tags is not thing.tags


def test_no_method_is_compiled_before_it_is_needed(monkeypatch):
    compiled: list[str] = []
    monkeypatch.setattr(
        records,
        "exec",
        lambda code, space: compiled.append(code) or exec(code, space),
        raising=False,
    )
    make = _made(records.dataclass)
    assert compiled == []

    make(1)
    make(2)
    assert len(compiled) == 1
    assert compiled[0].startswith("def __init__(self, x, ")


def test_fields_that_only_the_standard_library_handles_are_left_to_it_or_refused():
    @records.dataclass(frozen=True)
    class Open:
        x: int

    @records.dataclass(frozen=True, slots=True)
    class Base:
        x: int

    @records.dataclass(frozen=True, slots=True)
    class Derived(Base):
        y: int = 2

    assert Open(1).__dict__ == {"x": 1}
    assert (Derived(1).x, Derived(1).y, Derived(1)) == (1, 2, Derived(1, 2))
    with pytest.raises(TypeError, match="Wrong"):

        @records.dataclass(frozen=True, slots=True)
        class Wrong:
            x: int = dataclasses.field(kw_only=True)
