"""Which user, group and supplementary groups a container's first process gets.

The request's uid or name, else the image's USER (`uid`, `uid:gid`, `name`, `name:group`), else root; looked up in the image's
own passwd and group, whose texts the caller read below the container's root. All digits are a number of at most 2^31-1 and
never a name, and what merely looks like a number is refused (security rule D1: wrapped or looked-up numbers became root).
The primary group always counts among the groups (rule D3). Lines that make no sense are skipped; a text that is too large
is refused (rule J1).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from runtime.errors import InvalidArgument
from runtime.records.security import ContainerSecurity, GroupsPolicy
from runtime.spec.document import Option, Spec, combined, merge, put, set_value
from runtime.spec.request import ResolvedUser, SpecRequest

MAX_ID = 2**31 - 1
"""Largest uid or gid that Kubernetes and docker accept; above it programs disagree about the sign."""

MAX_ACCOUNT_FILE = 10 * 1024 * 1024
"""Characters of passwd or group that are looked at, as in CRI-O since CVE-2025-4437."""

_SUBJECT = "user"
_PATH = ("process", "user")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Account:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def resolve_user(
    security: ContainerSecurity, image_user: str, passwd: str, group: str
) -> ResolvedUser:
    """Look the user up in the image's passwd and group texts.

    Raises:
        InvalidArgument: user or group are unknown, malformed or too large, or run_as_group comes without a user.
    """
    _check_size("passwd", passwd)
    _check_size("group", group)
    wanted_user, wanted_group = _wanted(security, image_user)
    account = _account(wanted_user, passwd)
    gid = _gid(wanted_group, group) if wanted_group else account.gid
    if security.run_as_group is not None:
        gid = _checked_id(security.run_as_group, "run_as_group")
    groups = {gid, *(_checked_id(extra, "group") for extra in security.supplemental_groups)}
    if security.groups_policy is GroupsPolicy.MERGE:
        groups.update(_memberships(account.name, group))
    return ResolvedUser(
        uid=account.uid,
        gid=gid,
        groups=tuple(sorted(groups)),
        home=account.home,
        username=account.name,
    )


def _wanted(security: ContainerSecurity, image_user: str) -> tuple[str, str]:
    if security.run_as_user is not None:
        return str(_checked_id(security.run_as_user, "run_as_user")), ""
    if security.run_as_username:
        return security.run_as_username, ""
    if security.run_as_group is not None:
        raise InvalidArgument(
            "run_as_group",
            "is set without a user",
            remedy="set run_as_user or run_as_username too",
            reason="GroupWithoutUser",
        )
    user, _, group = image_user.partition(":")
    return user or "0", group


def _account(wanted: str, passwd: str) -> _Account:
    uid = _number(wanted)
    for account in _accounts(passwd):
        if account.uid == uid if uid is not None else account.name == wanted:
            return account
    if uid is None:
        raise _unknown(wanted, "passwd")
    return _Account(name="", uid=uid, gid=0, home="/")


def _gid(wanted: str, group: str) -> int:
    gid = _number(wanted)
    if gid is not None:
        return gid
    for entry in _groups(group):
        if entry.name == wanted:
            return entry.gid
    raise _unknown(wanted, "group")


def _memberships(name: str, group: str) -> Iterator[int]:
    if name:
        yield from (entry.gid for entry in _groups(group) if name in entry.members)


def _accounts(passwd: str) -> Iterator[_Account]:
    for fields in _lines(passwd, at_least=4):
        uid, gid = _entry_id(fields[2]), _entry_id(fields[3])
        if uid is not None and gid is not None:
            home = _home(fields[5] if len(fields) > 5 else "")
            yield _Account(name=fields[0], uid=uid, gid=gid, home=home)


def _groups(group: str) -> Iterator[_Group]:
    for fields in _lines(group, at_least=3):
        gid = _entry_id(fields[2])
        if gid is not None:
            members = fields[3].split(",") if len(fields) > 3 else []
            yield _Group(name=fields[0], gid=gid, members=tuple(filter(None, members)))


def _lines(text: str, *, at_least: int) -> Iterator[list[str]]:
    # Only the newline ends a line: splitlines() would see more ends than the C library does.
    for line in text.split("\n"):
        fields = line.strip(" \t\r").split(":")
        if len(fields) >= at_least and fields[0] and not fields[0].startswith("#"):
            yield fields


def _home(path: str) -> str:
    # HOME becomes an environment value of our making: no control character gets in (rule D2).
    return path if path.startswith("/") and path.isprintable() else "/"


def _entry_id(text: str) -> int | None:
    """Return an id of an account file, None when the line is not to be used."""
    digits = text.isascii() and text.isdigit() and len(text) <= 10
    return int(text) if digits and int(text) <= MAX_ID else None


def _number(text: str) -> int | None:
    """Return the number that `text` is, None when it is a name."""
    if not text.isascii() or not text.lstrip("+-").isdigit():
        _check_name(text)
        return None
    # int() of thousands of digits is slow by design, so the length is looked at first.
    if not text.isdigit() or len(text) > 10:
        raise _bad_number(text[:20])
    return _checked_id(int(text), _SUBJECT)


def _check_name(text: str) -> None:
    if not text.isprintable() or len(text) > 256:
        raise InvalidArgument(
            _SUBJECT,
            "name has control characters or is too long",
            remedy="use a name of the image's passwd or a number",
            reason="BadUserName",
        )


def _checked_id(number: int, what: str) -> int:
    if not 0 <= number <= MAX_ID:
        raise _bad_number(f"{what} {number}" if what != _SUBJECT else str(number))
    return number


def _bad_number(text: str) -> InvalidArgument:
    return InvalidArgument(
        _SUBJECT,
        f"{text} is not a number from 0 to {MAX_ID}",
        remedy="use a uid in that range",
        reason="BadUserId",
    )


def _unknown(name: str, file: str) -> InvalidArgument:
    return InvalidArgument(
        _SUBJECT,
        f"{name!r} is not in the image's /etc/{file}",
        remedy="use a name that is, or a number",
        reason="UnknownUser",
    )


def _check_size(file: str, text: str) -> None:
    if len(text) > MAX_ACCOUNT_FILE:
        raise InvalidArgument(
            f"/etc/{file} of the image",
            f"has more than {MAX_ACCOUNT_FILE} characters",
            remedy="use an image with a smaller one",
            reason="AccountFileTooLarge",
        )


def user_options(request: SpecRequest) -> tuple[Option, ...]:
    """Return the options for a container's user."""
    user = request.user
    return (with_user(user.uid, user.gid), with_additional_groups(user.groups))


def with_user(uid: int, gid: int = 0) -> Option:
    """Set uid and gid."""
    values: Spec = {"uid": uid, "gid": gid}
    return lambda spec: merge(spec, _PATH, values)


def with_additional_groups(groups: tuple[int, ...]) -> Option:
    """Set the supplementary groups."""
    return set_value((*_PATH, "additionalGids"), list(groups))


def with_username(name: str) -> Option:
    """Set the user by name, for platforms whose runtime looks it up itself (Windows)."""
    return set_value((*_PATH, "username"), name)


def with_user_of_image(user: str, passwd: str = "", group: str = "") -> Option:
    """Set what an image's USER means in its own passwd and group texts.

    Raises:
        InvalidArgument: as resolve_user.
    """
    resolved = resolve_user(ContainerSecurity(), user, passwd, group)
    return combined(with_user(resolved.uid, resolved.gid), with_additional_groups(resolved.groups))


def with_umask(mask: int) -> Option:
    """Set the file mode creation mask."""
    return lambda spec: put(spec, (*_PATH, "umask"), mask)
