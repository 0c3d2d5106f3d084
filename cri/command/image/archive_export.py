"""`lading image export`: write images into an archive, or a directory, that every tool reads."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from cri.command.daemon_client import CommandError, Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.image.auth_file import auth_for
from cri.command.image.layout_directory import write_layout
from cri.command.names import image_names
from cri.command.options import ADMIN, JSON, QUIET
from cri.command.texts import count, size
from image.store.tar_headers import TarError


@exits(ExitCode.NOT_FOUND)
@click.command("export")
@click.argument("references", metavar="REF...", nargs=-1, required=True, shell_complete=image_names)
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIRECTORY/",
    help="Where to write; a name that ends with / becomes an OCI layout directory. Default: stdout.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Fetch the layers as the registry has them: same manifest digest, same signatures.",
)
@click.option(
    "--auth-file",
    type=click.Path(path_type=Path),
    help="Credentials for --exact, in docker's config.json form.",
)
@ADMIN
@JSON
@QUIET
def command(
    *,
    references: tuple[str, ...],
    output: str | None,
    exact: bool,
    auth_file: Path | None,
    admin: str,
    as_json: bool,
    quiet: bool,
) -> int:
    r"""Write images into one tar that is an OCI layout and a 'docker save' archive at once.

    Layers go out unpacked, under a new manifest digest and the same image id; layers that this node keeps extracted are
    written anew, which changes the id. --exact asks the registry for the originals instead.

    \b
    Examples:
      lading image export -o app.tar registry.example/app:v2
      lading image export --exact -o layout/ registry.example/app:v2
      lading image export app:v2 sidecar:v1 | zstd > bundle.tar.zst
    """
    if output is None and sys.stdout.isatty():
        raise click.UsageError("an archive is not for a terminal: name a file with -o")
    if auth_file and not exact:
        raise click.UsageError("--auth-file is for --exact: nothing else asks a registry")
    auths = [dict(auth_for(auth_file, one)) for one in references] if auth_file else []
    pieces = Daemon(admin).fetch(
        "image/export", references=list(references), exact=exact, auths=auths
    )
    first = next(pieces, b"")  # a refusal must not leave an empty file behind
    try:
        total = _write(output, _whole(first, pieces))
    except BrokenPipeError:
        raise
    except (OSError, TarError) as error:
        name, cause = output or "standard output", getattr(error, "strerror", "") or str(error)
        raise CommandError(f"{name}: cannot be written: {cause}", ExitCode.FAILED) from error
    _tell(references, output, total, as_json=as_json, quiet=quiet)
    return ExitCode.OK


def _tell(
    references: tuple[str, ...], output: str | None, total: int, *, as_json: bool, quiet: bool
) -> None:
    if as_json:
        fields = {"images": list(references), "bytes": total, "file": output or ""}
        document = {"schema": "lading.image-export/v1", **fields}
        click.echo(json.dumps(document), err=output is None)
    elif not quiet:
        done = f"exported {count(len(references), 'image')}, {size(total)}"
        click.echo(f"{done} to {output}" if output else done, err=output is None)


def _whole(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _write(output: str | None, pieces: Iterator[bytes]) -> int:
    if output is None:
        total = sum(sys.stdout.buffer.write(piece) for piece in pieces)
        sys.stdout.buffer.flush()
        return total
    if output.endswith("/") or Path(output).is_dir():
        return write_layout(Path(output), pieces)
    return _write_file(Path(output), pieces)


def _write_file(target: Path, pieces: Iterator[bytes]) -> int:
    """Write a file that has its name only when it is whole."""
    if target.exists() and not target.is_file():  # a pipe or device keeps its name
        with target.open("wb") as stream:
            return sum(stream.write(piece) for piece in pieces)
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as stream:
            total = sum(stream.write(piece) for piece in pieces)
        part.replace(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return total
