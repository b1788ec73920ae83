"""Compiled functions, for the few loops that NumPy can't do in bulk: Numba, with a cache that notices every change.

Compiling takes seconds, so the machine code is kept: beside the module, or where `NUMBA_CACHE_DIR` says, or in the
user's cache; where nothing of this can be written, every process compiles for itself. Numba asks only whether the file
of the called function changed. What that function calls and which constants it reads, in this module or others, is
compiled into it, so here all of that is part of the key: no change of a constant is ever answered with old code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numba.core.caching import FunctionCache

_OURS = "stillwatch_"
"""What our packages' names begin with."""

F = TypeVar("F", bound=Callable[..., Any])

Record = Any
"""A record of an array: in compiled code its fields are attributes. Changed in place."""
Records = Any
"""An array of them."""
Number = Any
"""Python's whole number outside, a machine word in compiled code."""


def compiled(function: F) -> F:
    """The function, compiled for the types it is called with, and kept; it may call `part`s."""
    return _kept(function, njit(function))


def part(function: F) -> F:
    """A function that compiled ones call: it is compiled with each of them."""
    return cast("F", njit(function))


def lean(function: F) -> F:
    """`compiled` for a function that makes no array and assigns none: it may call `lean_part`s.

    Numba then need not count who holds an array. Where a small function is called for every word of a text, counting
    takes most of the time.
    """
    return _kept(function, _uncounted(function))


def lean_part(function: F) -> F:
    """A function that `lean` ones call, under the same condition."""
    return cast("F", _uncounted(function))


_uncounted = njit(_nrt=False)  # the option has no other name; Numba's version is held to one minor release


def _kept(function: F, dispatcher: Any) -> F:
    with suppress(RuntimeError):  # nowhere to write to
        dispatcher._cache = _Cache(function)  # noqa: SLF001 - what `njit(cache=True)` does with its own class
    return cast("F", dispatcher)


class _Cache(FunctionCache):  # type: ignore[misc]  # Numba has no types
    """Numba's cache, asked by what is compiled; a cache that can't be read or written is no reason to stop."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except OSError:
            return None
        except Exception:  # noqa: BLE001 - a pickle of another release may name what is no more, or be cut short
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), fingerprint(self._py_func))


def fingerprint(function: FunctionType) -> str:
    """Hash of a function's code and of all that it reads or calls, however far away."""
    digest = hashlib.blake2b(digest_size=16)
    for part in _parts(function, set()):
        digest.update(part)
    return digest.hexdigest()


def _parts(function: FunctionType, known: set[FunctionType]) -> Iterator[bytes]:
    code = function.__code__
    yield code.co_code + repr(code.co_consts).encode()
    known.add(function)
    for name, value in _named(function):
        called = getattr(value, "py_func", None)
        if called is None:
            yield name.encode() + _bytes(value)
        elif called not in known:
            yield from _parts(called, known)


def _named(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What the function names: values of its own module, and of modules of ours that it names too."""
    names = function.__code__.co_names
    for name in names:
        value = function.__globals__.get(name)
        if not isinstance(value, ModuleType):
            yield name, value
        elif value.__name__.startswith(_OURS):
            yield from ((attribute, getattr(value, attribute)) for attribute in names if hasattr(value, attribute))


def _bytes(value: Any) -> bytes:
    return value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
