"""Image configs are read strictly."""

import json

import pytest

from image.errors import FailedPrecondition
from image.model.image_config import MAX_CONFIG_BYTES, ImageConfig, parse_image_config

DIFF_ID = "sha256:" + "ab" * 32
ROOTFS: dict[str, object] = {"type": "layers", "diff_ids": [DIFF_ID]}


def parse(**fields: object) -> ImageConfig:
    usual: dict[str, object] = {"architecture": "amd64", "os": "linux", "rootfs": ROOTFS}
    return parse_image_config(json.dumps(usual | fields).encode())


def test_everything_is_read() -> None:
    config = parse(
        variant="v2",
        **{"os.version": "1.2"},
        created="2026-01-01T00:00:00Z",
        config={
            "Env": ["A=1", "B=x=y", "C="],
            "Entrypoint": ["/e"],
            "Cmd": ["c", "d"],
            "WorkingDir": "/w",
            "User": "1:2",
            "StopSignal": "SIGQUIT",
            "Volumes": {"/v": {}, "/a": {}},
            "Labels": {"z": "1", "a": "2"},
            "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        },
    )
    assert config == ImageConfig(
        architecture="amd64",
        os="linux",
        variant="v2",
        os_version="1.2",
        env=("A=1", "B=x=y", "C="),
        entrypoint=("/e",),
        cmd=("c", "d"),
        working_dir="/w",
        user="1:2",
        stop_signal="SIGQUIT",
        volumes=("/a", "/v"),
        labels=(("z", "1"), ("a", "2")),
        exposed_ports=("53/udp", "80/tcp"),
        diff_ids=(DIFF_ID,),
        created="2026-01-01T00:00:00Z",
    )


def test_null_counts_as_absent() -> None:
    config = parse(
        config={"Env": None, "Entrypoint": None, "Volumes": None, "Labels": None, "User": None},
        created=None,
    )
    assert config == ImageConfig(architecture="amd64", os="linux", diff_ids=(DIFF_ID,))
    assert parse(config=None) == config
    assert parse(rootfs={"diff_ids": None}).diff_ids == ()


def test_env_without_a_value_is_dropped() -> None:
    assert parse(config={"Env": ["*", "HOME", "=x", "", "A=1"]}).env == ("A=1",)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rootfs": None}, "has no `rootfs`"),
        ({"rootfs": {"type": "erofs"}}, "not of type layers"),
        ({"rootfs": {"type": "layers", "diff_ids": ["sha256:x"]}}, "digest"),
        ({"rootfs": {"type": "layers", "diff_ids": [DIFF_ID] * 501}}, "more than 500 layers"),
        ({"rootfs": []}, "must be an object"),
        ({"config": {"Env": "A=1"}}, "must be a list"),
        ({"config": {"Cmd": ["a\x00b"]}}, "NUL"),
        ({"config": {"Labels": {"a": 1}}}, "must be text"),
        ({"config": {"Volumes": ["/a"]}}, "must be an object"),
        ({"architecture": 5}, "must be text"),
    ],
)
def test_wrong_configs_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(FailedPrecondition, match=words):
        parse(**fields)


def test_size_and_depth_are_bounded() -> None:
    with pytest.raises(FailedPrecondition, match="larger than"):
        parse_image_config(b" " * (MAX_CONFIG_BYTES + 1))
    with pytest.raises(FailedPrecondition, match="deeper"):
        parse_image_config(b"[" * 100_000)
