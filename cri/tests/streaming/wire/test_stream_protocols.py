"""Every name that can be agreed on has a meaning."""

from cri.streaming.wire.stream_protocols import (
    COMMAND_OFFER,
    DIALECTS,
    JSON_STATUS,
    PORT_FORWARD_OFFER,
    RESIZING,
)


def test_every_offered_websocket_name_has_a_dialect() -> None:
    assert set(COMMAND_OFFER.websocket) == set(DIALECTS)
    assert set(PORT_FORWARD_OFFER.websocket) <= set(DIALECTS)


def test_newer_versions_have_more() -> None:
    assert {
        name for name in COMMAND_OFFER.websocket if name.startswith(("v4", "v5"))
    } <= JSON_STATUS
    assert set(COMMAND_OFFER.spdy) >= RESIZING
