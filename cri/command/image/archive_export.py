"""`lading image export`: write images into an archive that every tool reads."""

import sys
from pathlib import Path

import click

from cri.command.daemon_client import CommandError, Daemon
from cri.command.exit_codes import ExitCode
from cri.command.options import ADMIN, QUIET
from cri.command.texts import count, size


@click.command("export")
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write; default: stdout."
)
@ADMIN
@QUIET
def command(*, references: tuple[str, ...], output: Path | None, admin: str, quiet: bool) -> int:
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
    if not quiet:
        done = f"exported {count(len(references), 'image')}, {size(total)}"
        click.echo(f"{done} to {output}" if output else done, err=output is None)
    return ExitCode.OK
