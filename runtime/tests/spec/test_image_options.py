"""A spec takes over what an image says; what was set before wins, but for the arguments."""

import copy

from runtime.spec.document import Spec
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.image_options import STOP_SIGNAL_ANNOTATION, with_image_config

IMAGE = ImageDefaults(
    env=("z=bar", "y=baz", "noequals"),
    entrypoint=("entry",),
    cmd=("cmd",),
    working_dir="/work",
    user="5:6",
    stop_signal="SIGINT",
)


def test_env_already_set_overrides_the_image_in_its_order() -> None:
    spec: Spec = {"process": {"env": ["x=foo", "y=boo"], "args": ["old"]}}
    before = copy.deepcopy(spec)
    after = with_image_config(IMAGE)(spec)
    assert after == {
        "process": {
            "env": ["z=bar", "y=boo", "x=foo"],
            "args": ["entry", "cmd"],
            "cwd": "/work",
            "user": {"uid": 5, "gid": 6, "additionalGids": [6]},
        },
        "annotations": {STOP_SIGNAL_ANNOTATION: "SIGINT"},
    }
    assert spec == before


def test_given_args_stand_in_for_cmd() -> None:
    after = with_image_config(IMAGE, ("a", "b"))({})
    assert after["process"] == {
        "env": ["z=bar", "y=baz"],
        "args": ["entry", "a", "b"],
        "cwd": "/work",
        "user": {"uid": 5, "gid": 6, "additionalGids": [6]},
    }


def test_empty_image_sets_root_user_and_directory_alone() -> None:
    after = with_image_config(ImageDefaults())({})
    assert after == {
        "process": {"args": [], "cwd": "/", "user": {"uid": 0, "gid": 0, "additionalGids": [0]}}
    }
    kept = with_image_config(ImageDefaults())({"process": {"env": ["a=1"]}})
    assert kept["process"] == {
        "env": ["a=1"],
        "args": [],
        "cwd": "/",
        "user": {"uid": 0, "gid": 0, "additionalGids": [0]},
    }
