"""What plugins print."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.formats.cni_result import IpPreference, order_addresses, parse_error, parse_result

INTERFACES = [
    {"name": "br0", "mac": "aa"},
    {"name": "eth0", "sandbox": "/run/ns"},
    {"name": "net1", "sandbox": "/run/ns"},
    {"sandbox": "/run/ns"},
]


def result(*ips: object, interfaces: object = INTERFACES) -> str:
    return json.dumps({"cniVersion": "1.0.0", "interfaces": interfaces, "ips": list(ips)})


def test_addresses_of_the_pods_own_interface_are_taken() -> None:
    parsed = parse_result(
        result(
            {"address": "10.0.0.1/24", "interface": 0},
            {"address": "10.0.0.2/24", "interface": 1},
            {"address": "10.0.1.2/24", "interface": 2},
            {"address": "fd00::2/64", "interface": 3},
            {"version": "4", "address": "10.0.0.3/24"},
        ),
        "eth0",
    )
    assert parsed.addresses == ("10.0.0.2", "fd00::2", "10.0.0.3")
    assert parsed.document["cniVersion"] == "1.0.0"


@pytest.mark.parametrize("text", ["{}", '{"ips": null, "interfaces": null}'])
def test_result_without_addresses_is_a_result(text: str) -> None:
    assert parse_result(text, "eth0").addresses == ()


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("", "printed nothing"),
        (b" \n", "printed nothing"),
        ("panic: oh", "did not print JSON"),
        (b"\xff\xfe", "did not print JSON"),
        ("[" * 100_000, "did not print JSON"),
        ("[]", "did not print a JSON object"),
        ('{"ips": 3}', "ips is not a list"),
        ('{"ips": ["10.0.0.1"]}', "ips is not a list"),
        (result(interfaces={}), "interfaces is not a list"),
        (result({"address": 7}), r"ips\[0\].address"),
        (result({"address": "10.0.0.300/24"}), r"ips\[0\].address"),
        (result({}), r"ips\[0\].address"),
        (result({"address": "10.0.0.1/24", "interface": 4}), r"ips\[0\].interface"),
        (result({"address": "10.0.0.1/24", "interface": -1}), r"ips\[0\].interface"),
        (result({"address": "10.0.0.1/24", "interface": True}), r"ips\[0\].interface"),
        (result({"address": "10.0.0.1/24", "interface": "1"}), r"ips\[0\].interface"),
    ],
)
def test_anything_else_is_refused_with_its_field(output: str | bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_result(output, "eth0")


def test_error_object_is_read() -> None:
    error = parse_error('{"cniVersion": "1.0.0", "code": 11, "msg": "busy", "details": "ipam"}')
    assert error is not None
    assert (error.code, error.message, error.details) == (11, "busy", "ipam")


def test_details_of_another_type_are_dropped() -> None:
    error = parse_error('{"code": 1, "msg": "m", "details": {}}')
    assert error is not None
    assert error.details == ""


@pytest.mark.parametrize("output", ["", "x", "{}", '{"code": "1", "msg": "m"}', '{"code": 1}'])
def test_other_output_is_no_error_object(output: str) -> None:
    assert parse_error(output) is None


@pytest.mark.parametrize(
    ("preference", "ordered"),
    [
        ("cni", ("fd00::1", "10.0.0.1", "10.0.0.2")),
        ("ipv6", ("fd00::1", "10.0.0.1", "10.0.0.2")),
        ("ipv4", ("10.0.0.1", "fd00::1", "10.0.0.2")),
    ],
)
def test_preferred_family_comes_first(preference: IpPreference, ordered: tuple[str, ...]) -> None:
    assert order_addresses(("fd00::1", "10.0.0.1", "10.0.0.2"), preference) == ordered


def test_family_that_is_absent_changes_nothing() -> None:
    assert order_addresses(("fd00::1",), "ipv4") == ("fd00::1",)
    assert order_addresses((), "ipv6") == ()


@given(st.text(max_size=80) | st.binary(max_size=80))
def test_nothing_but_value_error_is_raised(output: str | bytes) -> None:
    try:
        parse_result(output, "eth0")
    except ValueError:
        return
