"""Frozen dataclasses whose methods are made when they are first needed.

The standard library writes and compiles six methods for each class as it is imported, half a
millisecond or more. The app imports eighty such classes before it shows anything, and makes
objects of a dozen. Here only the fields are looked at then; `__init__` is compiled for the first
object.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, fields
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, /, **how):
        """Do as `dataclasses.dataclass`; lazily for what is frozen, with slots and no base."""
        if cls is None:
            return partial(dataclass, **how)
        if how != {"frozen": True, "slots": True} or cls.__bases__ != (object,):
            return dataclasses.dataclass(cls, **how)
        return _lazily(cls)


def _lazily(cls: type) -> type:
    own = dict(vars(cls))
    # Without one, the standard library makes one of the signature, which takes longest of all.
    cls.__doc__ = cls.__doc__ or cls.__name__
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    made.__dataclass_params__.frozen = True
    if not all(one.init and not one.kw_only for one in fields(made)):
        raise TypeError(f"{cls.__name__} has fields that are not handled here")
    compared = [one.name for one in fields(made) if one.compare]
    values: Callable[[Any], Any] = attrgetter(*compared) if compared else lambda thing: ()

    def __init__(self: Any, *given: Any, **named: Any) -> None:
        made.__init__ = _initializer(made)
        made.__init__(self, *given, **named)

    def __eq__(self: Any, other: object) -> bool:
        return (
            values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented
        )

    def __hash__(self: Any) -> int:
        return hash(values(self))

    methods = {"__init__": __init__, "__eq__": __eq__, "__hash__": __hash__, **_METHODS}
    for name, method in methods.items():
        if own.get(name) is None:
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def _initializer(cls: Any) -> Any:
    """Return the `__init__` of a class: it puts each value into its slot."""
    space: dict[str, Any] = {"_none_given": MISSING}
    wanted, body = [], []
    for one in fields(cls):
        name = one.name
        space[f"_put_{name}"] = cls.__dict__[name].__set__
        value = name
        if one.default_factory is not MISSING:
            space[f"_make_{name}"] = one.default_factory
            value = f"_make_{name}() if {name} is _none_given else {name}"
            wanted.append(f"{name}=_none_given")
        elif one.default is not MISSING:
            space[f"_usual_{name}"] = one.default
            wanted.append(f"{name}=_usual_{name}")
        else:
            wanted.append(name)
        body.append(f"    _put_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("    self.__post_init__()")
    exec(
        f"def __init__({', '.join(['self', *wanted])}):\n" + "\n".join(body or ["    pass"]), space
    )
    return space["__init__"]


def _repr(self: Any) -> str:
    said = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{self.__class__.__qualname__}({said})"


def _set(self: Any, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for one, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)


_METHODS: dict[str, Any] = {
    "__repr__": _repr,
    "__setattr__": _set,
    "__delattr__": _delete,
    "__getstate__": _state,
    "__setstate__": _restore,
}
