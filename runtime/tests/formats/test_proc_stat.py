"""Who a process is, from /proc."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.formats.proc_stat import parse_net_dev, parse_process_stat, parse_status_field

TAIL = b"S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 987654 1000 20 18446744073709551615"


def test_fields_are_found() -> None:
    stat = parse_process_stat(b"42 (sleep) " + TAIL + b"\n")
    assert (stat.pid, stat.name, stat.state) == (42, "sleep", "S")
    assert (stat.parent, stat.group, stat.session) == (1, 42, 42)
    assert (stat.threads, stat.start_time) == (3, 987654)
    assert not stat.is_gone


@given(st.binary(max_size=15))
def test_name_cannot_shift_the_fields(name: bytes) -> None:
    stat = parse_process_stat(b"42 (" + name + b") " + TAIL)
    assert (stat.pid, stat.start_time) == (42, 987654)


@pytest.mark.parametrize(
    ("state", "threads", "gone"), [("Z", 1, True), ("X", 0, True), ("Z", 2, False), ("R", 1, False)]
)
def test_zombie_is_gone_unless_its_threads_live(state: str, threads: int, gone: bool) -> None:
    tail = TAIL.replace(b"S", state.encode(), 1).replace(b" 3 0 987", b" %d 0 987" % threads)
    assert parse_process_stat(b"42 (x) " + tail).is_gone is gone


@given(st.binary(max_size=100))
def test_other_text_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a process stat line"):
        parse_process_stat(text)


def test_status_field_is_found_by_its_whole_name() -> None:
    text = b"Name:\tpython\nCapEff:\t000001fffeffffff\nCapE:\t0\n"
    assert parse_status_field(text, "CapEff") == "000001fffeffffff"
    assert parse_status_field(text, "CapE") == "0"
    assert parse_status_field(text, "Seccomp") is None


def test_traffic_of_each_interface_is_found() -> None:
    text = (
        b"Inter-|   Receive  |  Transmit\n face |bytes packets\n"
        b"    lo:    3193      29    0    0    0     0    0    0     77   29 0 0 0 0 0 0\n"
        b"eth0:1:5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n"
    )
    assert parse_net_dev(text) == (("lo", 3193, 77), ("eth0:1", 5, 6))


def test_short_line_of_traffic_is_refused() -> None:
    with pytest.raises(ValueError, match="net/dev"):
        parse_net_dev(b"\n\n lo: 1 2 3\n")
