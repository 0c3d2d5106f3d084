"""The rules of the house that no linter knows: sizes, names, twins, docstrings and purity of folders."""

import ast
import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
PACKAGES = ("cri", "runtime", "image")
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "base", "manager", "types"}
PURE_FOLDERS = (
    "runtime/records",
    "runtime/spec",
    "runtime/formats",
    "image/model",
    "image/protocol",
    "cri/streaming/wire",
)
IMPURE_MODULES = {"asyncio", "socket", "subprocess", "os", "time", "grpc", "threading", "ctypes"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# Files that hold only Protocols, data or declarations have nothing that a twin could run.
TWINLESS = re.compile(r"(__init__|__main__)\.py$")


def _sources(*tops: str) -> list[Path]:
    return sorted(
        path
        for top in tops
        for path in (HOUSE / top).rglob("*.py")
        if "api" not in path.relative_to(HOUSE).parts[:2] and "__pycache__" not in path.parts
    )


def _name(path: Path) -> str:
    return str(path.relative_to(HOUSE))


def _is_test(path: Path) -> bool:
    return "tests" in path.parts


CODE = [path for path in _sources(*PACKAGES) if not _is_test(path)]
EVERYTHING = _sources(*PACKAGES, "e2e")


@pytest.mark.parametrize("path", EVERYTHING, ids=_name)
def test_file_is_short_and_well_named(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= MAX_FILE_LINES, f"{_name(path)} has {lines} lines; split it by idea"
    parts = {part.removesuffix(".py") for part in path.relative_to(HOUSE).parts}
    assert not parts & FORBIDDEN_NAMES, f"{_name(path)}: name it by the thing it owns"


@pytest.mark.parametrize("path", EVERYTHING, ids=_name)
def test_functions_fit_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, (
                f"{_name(path)}:{node.lineno} {node.name} has {length} lines"
            )


@pytest.mark.parametrize("path", EVERYTHING, ids=_name)
def test_module_says_what_it_promises(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text)), (
        f"{_name(path)} has no module docstring"
    )


@pytest.mark.parametrize(
    "path", [path for folder in PURE_FOLDERS for path in _sources(folder)], ids=_name
)
def test_pure_folder_does_no_io(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        modules = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
        impure = {module.split(".")[0] for module in modules} & IMPURE_MODULES
        assert not impure, (
            f"{_name(path)}:{node.lineno} imports {impure}; take the value as an argument"
        )


@pytest.mark.parametrize("path", CODE, ids=_name)
def test_file_has_a_twin_that_tests_it(path: Path) -> None:
    if TWINLESS.search(path.name) or _holds_only_declarations(path):
        return
    top, *rest = path.relative_to(HOUSE).parts
    twin = HOUSE.joinpath(top, "tests", *rest[:-1], f"test_{rest[-1]}")
    assert twin.exists(), f"{_name(path)} has no twin {_name(twin)}"


def _holds_only_declarations(path: Path) -> bool:
    """Tell whether no function in the file has a body of its own: constants, dataclasses, Protocols."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = [each for each in node.body if not isinstance(each, ast.Pass)]
            if any(not _is_text(each) for each in body):
                return False
    return True


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_no_index_address_in_any_requirement() -> None:
    for name in ("pyproject.toml", "requirements.txt", "Makefile", ".ci/run"):
        path = HOUSE / name
        if path.exists():
            assert not re.search(
                r"(index-url|extra-index|://[^ ]*(pypi|simple))", path.read_text()
            ), name
