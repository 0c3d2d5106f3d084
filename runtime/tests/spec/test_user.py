"""Users: which number a name means, and that a number is never a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidArgument
from runtime.records.security import ContainerSecurity, GroupsPolicy
from runtime.spec import user as users
from runtime.spec.document import apply, object_at
from runtime.spec.user import MAX_ACCOUNT_FILE, resolve_user
from runtime.tests.spec.samples import plain_request

PASSWD = """root:x:0:0:root:/root:/bin/sh
# comment:x:9:9

broken
bad:x:notanumber:0
big:x:99999999999:0:::
www:x:33:33:web:/var/www:/bin/false
default-user:x:1000:1000::/home/default-user:/bin/sh
shell:x:1001:1001
evil:x:1002:1002::/\x0bhome:/bin/sh
4294967296:x:0:0::/:/bin/sh
-1:x:0:0::/:/bin/sh
"""
GROUP = """root:x:0:
wheel:x:10
broken:x
nan:x:nan:default-user
www:x:33:
users:x:100:default-user,,www
group-defined-in-image:x:50000:default-user
"""
MERGE, STRICT = GroupsPolicy.MERGE, GroupsPolicy.STRICT


def _security(
    uid: int | None = None,
    gid: int | None = None,
    name: str = "",
    groups: tuple[int, ...] = (),
    policy: GroupsPolicy = MERGE,
) -> ContainerSecurity:
    return ContainerSecurity(
        run_as_user=uid,
        run_as_group=gid,
        run_as_username=name,
        supplemental_groups=groups,
        groups_policy=policy,
    )


@pytest.mark.parametrize(
    ("security", "image", "uid", "gid", "groups"),
    [
        (_security(), "", 0, 0, (0,)),
        (_security(), "www", 33, 33, (33, 100)),
        (_security(), "33:100", 33, 100, (100,)),
        (_security(), "33:users", 33, 100, (100,)),
        (_security(), "1234", 1234, 0, (0,)),
        (_security(), "1234:5", 1234, 5, (5,)),
        (_security(), ":users", 0, 100, (100,)),
        (_security(1000), "www", 1000, 1000, (100, 1000, 50000)),
        (_security(1000, 5), "www", 1000, 5, (5, 100, 50000)),
        (_security(name="default-user"), "", 1000, 1000, (100, 1000, 50000)),
        (_security(1000, groups=(1234,)), "", 1000, 1000, (100, 1000, 1234, 50000)),
        (_security(1000, groups=(1234,), policy=STRICT), "", 1000, 1000, (1000, 1234)),
        (_security(groups=(1234, 5, 5)), "1000", 1000, 1000, (5, 100, 1000, 1234, 50000)),
        (_security(2**31 - 1, 2**31 - 1), "", 2**31 - 1, 2**31 - 1, (2**31 - 1,)),
    ],
)
def test_user_and_groups(
    security: ContainerSecurity, image: str, uid: int, gid: int, groups: tuple[int, ...]
) -> None:
    resolved = resolve_user(security, image, PASSWD, GROUP)
    assert (resolved.uid, resolved.gid, resolved.groups) == (uid, gid, groups)


@pytest.mark.parametrize(
    ("image", "home", "name"),
    [
        ("www", "/var/www", "www"),
        ("1000", "/home/default-user", "default-user"),
        ("shell", "/", "shell"),
        ("evil", "/", "evil"),
        ("77", "/", ""),
    ],
)
def test_home_and_name_come_from_passwd(image: str, home: str, name: str) -> None:
    resolved = resolve_user(_security(), image, PASSWD, GROUP)
    assert (resolved.home, resolved.username) == (home, name)


@pytest.mark.parametrize(
    "image",
    [
        "4294967296",
        "2147483648",
        "2147483648:0",
        "0:2147483648",
        "-1",
        "+5",
        "0:-1",
        "9" * 10000,
        "nobody-knows",
        "0:nobody-knows",
        "big",
        "bad",
        "ro\not",
        "x" * 300,
        "root\0",
    ],
)
def test_bad_image_user_is_refused_and_never_becomes_root(image: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        resolve_user(_security(), image, PASSWD, GROUP)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "security",
    [
        _security(-1),
        _security(2**31),
        _security(0, 2**31),
        _security(0, -1),
        _security(0, groups=(-1,)),
        _security(name="4294967296"),
        _security(name="nobody-knows"),
    ],
)
def test_bad_requested_user_is_refused(security: ContainerSecurity) -> None:
    with pytest.raises(InvalidArgument):
        resolve_user(security, "", PASSWD, GROUP)


def test_group_without_user_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="GroupWithoutUser"):
        resolve_user(_security(gid=5), "www", PASSWD, GROUP)


@pytest.mark.parametrize("file", ["passwd", "group"])
def test_huge_account_file_is_refused(file: str) -> None:
    huge = " " * (MAX_ACCOUNT_FILE + 1)
    texts = {"passwd": "", "group": "", file: huge}
    with pytest.raises(InvalidArgument, match="AccountFileTooLarge"):
        resolve_user(_security(), "", texts["passwd"], texts["group"])


def test_only_newline_ends_a_line() -> None:
    passwd = "a:x:5:5::/\x0broot:x:0:0\u2028b:x:0:0:\nc:x:7:7::/c:/bin/sh\r\n"
    assert resolve_user(_security(), "c", passwd, "").uid == 7
    with pytest.raises(InvalidArgument):
        resolve_user(_security(), "b", passwd, "")


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_tolerated(passwd: str, group: str) -> None:
    resolved = resolve_user(_security(), "12:13", passwd, group)
    assert (resolved.uid, resolved.gid) == (12, 13)


def test_options_write_numbers() -> None:
    spec = apply({}, *users.user_options(plain_request()))
    assert object_at(spec, "process", "user") == {"uid": 0, "gid": 0, "additionalGids": [0]}
    spec = apply(
        {},
        users.with_user_of_image("www:users", PASSWD, GROUP),
        users.with_umask(0o27),
        users.with_username("name"),
    )
    assert object_at(spec, "process", "user") == {
        "uid": 33,
        "gid": 100,
        "additionalGids": [100],
        "umask": 0o27,
        "username": "name",
    }
