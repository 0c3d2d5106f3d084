"""`lading image export`: write images into an archive that every tool reads."""

import json
import sys
from pathlib import Path

import click

from cri.command.daemon_client import CommandError, Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.names import image_names
from cri.command.options import ADMIN, JSON, QUIET
from cri.command.texts import count, size


@exits(ExitCode.NOT_FOUND)
@click.command("export")
@click.argument("references", metavar="REF...", nargs=-1, required=True, shell_complete=image_names)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write; default: stdout."
)
@ADMIN
@JSON
@QUIET
def command(
    *, references: tuple[str, ...], output: Path | None, admin: str, as_json: bool, quiet: bool
) -> int:
    r"""Write images into a tar in the form of an OCI layout. Layers go out unpacked, under a new manifest digest.

    \b
    Examples:
      lading image export -o app.tar registry.example/app:v2
      lading image export app:v2 sidecar:v1 | zstd > bundle.tar.zst
    """
    if output is None and sys.stdout.isatty():
        raise click.UsageError("an archive is not for a terminal: name a file with -o")
    pieces = Daemon(admin).fetch("image/export", references=",".join(references))
    first = next(pieces, b"")  # a refusal must not leave an empty file behind
    try:
        target = output.open("wb") if output else sys.stdout.buffer
        total = target.write(first)
        for piece in pieces:
            total += target.write(piece)
        target.flush()
        if output:
            target.close()
    except BrokenPipeError:
        raise
    except OSError as error:
        name = output or "standard output"
        raise CommandError(
            f"{name}: cannot be written: {error.strerror}", ExitCode.FAILED
        ) from error
    if as_json:
        fields = {"images": list(references), "bytes": total, "file": str(output or "")}
        document = {"schema": "lading.image-export/v1", **fields}
        click.echo(json.dumps(document), err=output is None)
    elif not quiet:
        done = f"exported {count(len(references), 'image')}, {size(total)}"
        click.echo(f"{done} to {output}" if output else done, err=output is None)
    return ExitCode.OK
