"""Rendered configuration: the default file is valid and changes nothing; secrets never show."""

import re
import tomllib
from pathlib import Path

from cri.config import ImageSettings, Settings
from cri.config_reader import read_configuration
from cri.config_render import default_file, shown_values, value_lines


def test_default_file_uncommented_gives_the_defaults(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^#(?=[a-z_\[])", "", default_file()).replace(
        "handlers.NAME", "handlers.runc"
    )
    assert tomllib.loads(text)
    file = tmp_path / "config.toml"
    file.write_text(text)
    configuration = read_configuration(file)
    assert not configuration.findings
    assert configuration.settings == Settings()


def test_default_file_as_it_is_sets_nothing() -> None:
    assert set(tomllib.loads(default_file())) >= {"cri", "image", "runtime"}
    assert not any(tomllib.loads(default_file()).values())


def test_every_key_stands_below_its_reason() -> None:
    lines = default_file().splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"#[a-z_]+ = ", line)]
    assert keys
    assert all(lines[number - 1].startswith("# ") for number in keys)


def test_secret_shows_as_stars() -> None:
    settings = Settings(image=ImageSettings(proxy="http://user:S3CR3T@proxy"))
    assert shown_values(settings)["image.proxy"] == "***"
    assert not any("S3CR3T" in line for line in value_lines(settings, {}, changed_only=False))


def test_diff_shows_only_what_has_an_origin() -> None:
    lines = list(value_lines(Settings(root="/r"), {"root": "f:1"}, changed_only=True))
    assert lines == ['root = "/r" (f:1)']
