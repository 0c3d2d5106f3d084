"""What the current call is about, for every log line written on its behalf.

A context variable: tasks started by a call inherit it, other calls never see it. Holds ids and names only; nothing from
a pod's environment, no reference with credentials.
"""

from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType

Fields = Mapping[str, str]

_NONE: Fields = MappingProxyType({})
_FIELDS: ContextVar[Fields] = ContextVar("lading_call", default=_NONE)


def bind(**fields: str) -> Token[Fields]:
    """Add fields for the rest of this context; hand the token to `unbind` to take them off again."""
    return _FIELDS.set({**_FIELDS.get(), **{name: text for name, text in fields.items() if text}})


def unbind(token: Token[Fields]) -> None:
    """Restore what was bound before."""
    _FIELDS.reset(token)


def fields() -> Fields:
    """Return what is bound now."""
    return _FIELDS.get()
