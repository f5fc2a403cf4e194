"""Exceptions. Each derives from `FaninError` and from the builtin that a user would expect to catch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class FaninError(Exception):
    """The base of every exception that fanin raises on purpose. Its message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class FaninValueError(FaninError, ValueError):
    """An argument has the right type and a value that cannot be used."""


class FaninTypeError(FaninError, TypeError):
    """An argument has a type that cannot be used."""


class FaninIndexError(FaninError, IndexError):
    """An index lies outside the shape."""


class FaninAttributeError(FaninError, AttributeError):
    """An attempt to change a scheme, which is immutable; or an attribute of `fanin` that needs a package not here."""


class FaninMemoryError(FaninError, MemoryError):
    """A tensor that doesn't fit into memory."""


class FaninRuntimeError(FaninError, RuntimeError):
    """The machine or the installation lacks something that the call needs."""


class FaninImportError(FaninRuntimeError, ImportError):
    """An optional package that the call needs is not installed."""


class FaninWarning(UserWarning):
    """Something that may not be what was meant, and keeps nothing from working."""


class FaninKeyError(FaninError, KeyError):
    """A name that nothing is registered under."""

    def __str__(self) -> str:
        return self.args[0]  # KeyError would print the message's repr, in quotes


def one_line(message: str) -> str:
    """A message as one line that can be read: the repr of an array has line breaks, that of a large table no end.

    >>> len(one_line("x" * 100_000))
    1403
    """
    text = " ".join(message.split("\n"))
    return text if len(text) <= 1500 else f"{text[:1000]} … {text[-400:]}"


for _exported in (FaninError, *FaninError.__subclasses__(), FaninImportError, FaninWarning):
    _exported.__module__ = "fanin"  # where users catch them, and what a traceback should show


def missing_dependency(feature: str, package: str, extra: str) -> FaninImportError:
    """The error for an optional package that is not installed; `extra` of fanin's installs it."""
    return FaninImportError(f"{feature} needs {package}, which is not installed: pip install 'fanin[{extra}]'")


def a_type(value: object) -> str:
    """The name of a value's type with its article.

    >>> a_type(3), a_type("x")
    ('an int', 'a str')
    """
    return with_article(type(value).__name__)


def with_article(name: str) -> str:
    """A type's name with its article, by its first sound: capitals that begin it are read as letters.

    >>> with_article("Embedding"), with_article("Linear"), with_article("LSTM"), with_article("UNet")
    ('an Embedding', 'a Linear', 'an LSTM', 'a UNet')
    """
    vowels = "AEFHILMNORSX" if name[:2].isupper() else "AEIO"
    return f"{'an' if name[:1].upper() in vowels else 'a'} {name}"


def counted(number: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "thread"), counted(1200, "tensor")
    ('1 thread', '1,200 tensors')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def agreeing(number: int, singular: str, plural: str) -> str:
    """The form of a verb that fits a number of things.

    >>> agreeing(1, "differs", "differ"), agreeing(0, "differs", "differ")
    ('differs', 'differ')
    """
    return singular if number == 1 else plural


def shown(value: object, at_most: int = 200) -> str:
    """A value's repr for a message: cut where it is long, and in words where Python makes none.

    >>> shown("x" * 300, at_most=10), shown(10**5000)
    ("'xxxxxxxx…", 'an int of 16610 bits')
    """
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"an int of {value.bit_length()} bits"
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deep, or with an integer of more than 4300 digits inside
        return f"{a_type(value)} that is too large to print"
    except Exception:  # of a class of the user's
        return f"{a_type(value)} that has no repr"
    return text if len(text) <= at_most else text[:at_most - 1] + "…"


def listed(names: Iterable[object], at_most: int = 20) -> str:
    """The first names, with commas, and how many more there are: for messages of one line.

    >>> listed(["a", "b", "c"], at_most=2)
    'a, b and 1 more'
    """
    texts = list(map(str, names))
    more = f" and {len(texts) - at_most} more" if len(texts) > at_most else ""
    return ", ".join(texts[:at_most]) + more


ALL_NAMES = "Registry.names() lists what is known"  # where nothing looks like a scheme's name


def hint(name: str, known: Iterable[str], spell: Callable[[str], str] = repr, otherwise: str = "") -> str:
    """The end of a message about an unknown name: what may have been meant, else what `otherwise` says.

    Names are meant that look like it or begin with it, the likeliest first, three at most; `spell` gives what is shown
    for one.

    >>> hint("he_norml", ["zeros", "he_normal"])
    ": did you mean 'he_normal'?"
    """
    import difflib  # only for messages

    names = list(known)
    longer = [each for each in names if len(name) > 1 and each.startswith(name)]
    close = list(dict.fromkeys([*difflib.get_close_matches(name, names, n=3, cutoff=0.6), *longer]))[:3]
    if close:
        return f": did you mean {' or '.join(map(spell, close))}?"
    return f": {otherwise}" if otherwise else ""
