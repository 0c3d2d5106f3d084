"""Numbers and first messages of channels."""

from cri.streaming.wire.channel_uses import command_channels, forward_channels


def test_commands_have_five_channels_and_read_what_was_asked_for() -> None:
    channels = command_channels(frozenset({"stderr", "error", "resize"}))
    assert [use.headers["streamtype"] for use in channels] == [
        "stdin",
        "stdout",
        "stderr",
        "error",
        "resize",
    ]
    assert [use.readable for use in channels] == [False, False, False, False, True]
    assert [use.greeting for use in channels] == [None, None, b"", None, None]


def test_ports_have_two_channels_that_tell_the_port_in_little_endian() -> None:
    channels = forward_channels((80, 47180))
    assert [(use.headers["streamtype"], use.headers["port"]) for use in channels] == [
        ("data", "80"),
        ("error", "80"),
        ("data", "47180"),
        ("error", "47180"),
    ]
    assert [use.readable for use in channels] == [True, False, True, False]
    assert channels[2].greeting == channels[3].greeting == bytes.fromhex("4cb8")
    assert channels[0].headers["requestid"] != channels[2].headers["requestid"]
