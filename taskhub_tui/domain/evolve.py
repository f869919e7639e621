"""Making and changing the domain's frozen classes, quickly.

A frozen dataclass sets each of its fields by a call, which is most of what a step of a stage costs:
a task has more than thirty, and a step makes four copies. Here code is made for each class, as
`dataclasses` does itself, that fills an open twin with the same slots and then gives it the frozen
class.
"""

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _Plan(NamedTuple):
    copy: Callable[[Any, dict[str, Any]], Any]
    build: Callable[[Iterable[Any]], Any]


_PLANS: dict[type, _Plan] = {}


def replace(thing: T, /, **changes: Any) -> T:
    """Return a copy of `thing`, a frozen dataclass with slots, with some fields changed.

    Raises:
        AttributeError: there is no such field.
    """
    cls = type(thing)
    plan = _PLANS.get(cls) or _plan(cls)
    made: T = plan.copy(thing, changes)
    return made


def builder(cls: type[T]) -> Callable[[Iterable[Any]], T]:
    """Return what makes a `cls` of the values of all its fields, in their order."""
    return _plan(cls).build


def _plan(cls: type) -> _Plan:
    names = [field.name for field in fields(cls)]
    twin = type(f"Open{cls.__name__}", (), {"__slots__": tuple(names)})
    code = [
        "def copy(thing, changes):",
        "    new = twin()",
        *(f"    new.{name} = thing.{name}" for name in names),
        "    for name, value in changes.items():",
        "        setattr(new, name, value)",
        "    new.__class__ = cls",
        "    return new",
        "def build(values):",
        "    new = twin()",
        f"    {', '.join(f'new.{name}' for name in names)}, = values",
        "    new.__class__ = cls",
        "    return new",
    ]
    space: dict[str, Any] = {"twin": twin, "cls": cls}
    exec("\n".join(code), space)
    plan = _PLANS[cls] = _Plan(space["copy"], space["build"])
    return plan
