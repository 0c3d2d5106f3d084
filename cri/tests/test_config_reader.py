"""Reading the configuration: merging, refusing with file, line and key, and never half-applying."""

from pathlib import Path

import pytest

from cri.config import Settings
from cri.config_reader import find_line, read_configuration


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_later_drop_in_wins_key_by_key_and_the_origin_is_told(tmp_path: Path) -> None:
    file = _write(
        tmp_path / "config.toml", '[image]\nproxy = "http://a"\nmax_concurrent_downloads = 5\n'
    )
    _write(tmp_path / "conf.d" / "20-site.toml", "[image]\nmax_concurrent_downloads = 7\n")
    _write(tmp_path / "conf.d" / "10-first.toml", "[image]\nmax_concurrent_downloads = 6\n")
    configuration = read_configuration(file)
    assert not configuration.findings
    assert configuration.settings.image.max_concurrent_downloads == 7
    assert configuration.settings.image.proxy == "http://a"
    assert (
        configuration.origins["image.max_concurrent_downloads"]
        == f"{tmp_path}/conf.d/20-site.toml:2"
    )
    assert [Path(name).name for name in configuration.files] == [
        "config.toml",
        "10-first.toml",
        "20-site.toml",
    ]


def test_new_handler_section_adds_to_the_known_ones(tmp_path: Path) -> None:
    file = _write(
        tmp_path / "config.toml",
        '[runtime.handlers.kata]\npath = "/usr/bin/kata"\nruntime_args = ["-v"]\n',
    )
    handlers = read_configuration(file).settings.runtime.handlers
    assert set(handlers) == {"crun", "runc", "kata"}
    assert handlers["kata"].path == "/usr/bin/kata"
    assert handlers["kata"].runtime_args == ("-v",)


def test_empty_handler_section_is_a_handler_with_defaults(tmp_path: Path) -> None:
    file = _write(tmp_path / "config.toml", "[runtime.handlers.youki]\n")
    assert read_configuration(file).settings.runtime.handlers["youki"].path == ""


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            "[image]\nmax_concurrent_downlods = 3\n",
            2,
            "did you mean image.max_concurrent_downloads?",
        ),
        ("\ncni_conf_dir = '/x'\n", 2, "did you mean network.cni_conf_dir?"),
        ("[image]\n\nplatform = 4\n", 3, "image.platform must be a text, not a whole number"),
        ("[image]\npinned_images = [1]\n", 2, "must be a list of texts"),
        ("[image]\nrequire_schema2 = 1\n", 2, "must be true or false"),
        ("image = 3\n", 1, "image is a section; write it as [image]"),
        ("[runtime.handlers.crun]\npth = 'x'\n", 2, "did you mean runtime.handlers.crun.path?"),
        ("[runtime.handlers.Bad_Name]\n", 1, "a handler name has lower-case letters"),
        ("[runtime]\nhandlers = 1\n", 2, "holds sections [runtime.handlers.NAME]"),
        ("[runtime.handlers]\nx = 1\n", 2, "write it as [runtime.handlers.x]"),
        ("[log]\nlevel = 'loud'\n", 2, "must be one of debug, info, warning, error, not 'loud'"),
        ("[runtime]\nstart_timeout_seconds = 0\n", 2, "must be above 0, not 0"),
        ("[image]\nmax_bytes_per_second = -1\n", 2, "must be 0 or more, not -1"),
        ("root = 'relative'\n", 1, "must be an absolute path"),
        ("[runtime]\ncontainers_root = 'relative'\n", 2, "must be an absolute path"),
        ("[image]\ngc_period_seconds = -1\n", 2, "must be 0 or more, not -1"),
        ("[cri]\naddress = 'tcp://x'\n", 2, "must have the form unix:///PATH"),
        ("[metrics]\naddress = 'nonsense'\n", 2, "must have the form HOST:PORT"),
        ('[network]\ncni_conf_dir = "a\\u0000b"\n', 2, "must not contain a NUL"),
        ("[streaming]\ntls_cert = '/c'\n", 2, "tls_cert and tls_key belong together"),
        ("[runtime]\ndefault_handler = 'kata'\n", 2, "names no handler; known are crun, runc"),
        ("root = '/same'\nstate = '/same'\n", 2, "must be different directories"),
        ("a = = 1\n", 1, "not valid TOML"),
        ("[zzz]\nqqq = 1\n", 1, "known here are admin, cri"),
    ],
)
def test_fault_is_refused_with_line_and_remedy(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    file = _write(tmp_path / "config.toml", text)
    configuration = read_configuration(file)
    assert [(each.line, words in each.reason) for each in configuration.findings] == [
        (line, True)
    ], configuration.findings
    assert str(configuration.findings[0]).startswith(f"{file}:{line} error: ")
    assert configuration.settings == Settings()


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    file = _write(tmp_path / "config.toml", "a = 1\nb = 2\n[log]\nlevel = 3\n")
    assert len(read_configuration(file).findings) == 3


def test_missing_file_is_a_fault_only_when_it_was_named(tmp_path: Path) -> None:
    assert "no such file" in read_configuration(tmp_path / "none.toml").findings[0].reason


def test_unreadable_and_binary_files_are_told(tmp_path: Path) -> None:
    binary = tmp_path / "config.toml"
    binary.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in read_configuration(binary).findings[0].reason
    (tmp_path / "directory").mkdir()
    assert "cannot be read" in read_configuration(tmp_path / "directory").findings[0].reason


def test_line_of_a_dotted_or_inline_key_is_found() -> None:
    assert find_line("image.platform = 'x'\n", "image.platform") == 1
    assert find_line("x = 1\nimage = { platform = 'x' }\n", "image.platform") == 2
    assert find_line("x = 1\n", "image.platform") == 0


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 20_000, "a = " + "9" * 5000], ids=["deep", "digits"]
)
def test_what_the_parser_gives_up_on_is_refused(tmp_path: Path, text: str) -> None:
    (found,) = read_configuration(_write(tmp_path / "config.toml", text)).findings
    assert "not valid TOML" in found.reason
