"""`lading image import`: bring images in from a file, a directory or standard input."""

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click

from cri.command.daemon_client import CommandError, Daemon
from cri.command.exit_codes import ExitCode, exits
from cri.command.image.archive_fingerprint import fingerprint_of
from cri.command.options import ADMIN, JSON, QUIET, print_json
from cri.command.texts import count, number, short, size
from image.model.json_document import JsonObject
from image.store.tar_writer import END, file_header, padding

_CHUNK = 1 << 20


@exits(ExitCode.NOT_FOUND)
@click.command("import")
@click.argument("source", metavar="FILE|DIRECTORY|-")
@click.option("--name", default="", metavar="REPOSITORY", help="For images that have only a tag.")
@click.option(
    "--platform",
    default="",
    metavar="OS/ARCH",
    help="Only this platform's images. Default: this node's by name, all others by digest.",
)
@click.option("--pin", default="", metavar="NAME", help="Pin what is imported, under this name.")
@click.option("--until", default="", metavar="TIME", help="End of the pin: 2027-01-31.")
@click.option(
    "--trust",
    is_flag=True,
    help="Vouch for images that the policy wants signed; an archive has no signatures.",
)
@click.option("--again", is_flag=True, help="Read the archive even if it has not changed.")
@ADMIN
@JSON
@QUIET
def command(
    *,
    source: str,
    name: str,
    platform: str,
    pin: str,
    until: str,
    trust: bool,
    again: bool,
    admin: str,
    as_json: bool,
    quiet: bool,
) -> int:
    r"""Import an OCI layout (directory or tar) or what 'docker save' wrote, packed by gzip or not.

    An archive that was imported before and has not changed is not read again while its images are here.

    \b
    Examples:
      lading image import images.tar
      lading image import --pin boot /srv/layout
      skopeo copy docker://busybox oci-archive:/dev/stdout | lading image import --name busybox -
    """
    daemon = Daemon(admin)
    wishes = {"name": name, "platform": platform, "pin": pin, "until": until}
    wishes |= {
        "trust": "true" if trust else "false",
        "fingerprint": _fingerprint(source, name, platform),
    }
    lines: Iterator[JsonObject] = iter(())
    if wishes["fingerprint"] and not again:
        lines = daemon.watch("image/import/known", **wishes)
    first = next(lines, None)
    if first is None or first.text("event") == "unknown":
        lines = daemon.send("image/import", _pieces(source), **wishes)
    else:
        lines = chain([first], lines)
    for line in lines:
        _tell(line, as_json=as_json, quiet=quiet)
    return ExitCode.OK


def _tell(line: JsonObject, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json(line)
    elif not quiet:
        click.echo(import_line(line))
    elif line.text("event") == "image":
        click.echo(line.text("id"))


def _fingerprint(source: str, *options: str) -> str:
    if source == "-":
        return ""
    try:
        return fingerprint_of(Path(source), *options)
    except OSError as error:
        raise CommandError(f"{source}: cannot be read: {error.strerror}", ExitCode.USAGE) from error


def import_line(line: JsonObject) -> str:
    """Return one line as a person reads it."""
    if line.text("event") == "image":
        state = "imported" if line.fields.get("new") is True else "already here"
        platform = line.text("platform", default="")
        means = f"{short(line.text('id'))}, {platform}" if platform else short(line.text("id"))
        return f"{state} {', '.join(line.texts('names'))} ({means})"
    pinned = f', pinned "{line.text("pin")}"' if line.text("pin") else ""
    imported = count(line.integer("imported"), "image")
    added = size(number(line, "bytes"))
    return f"imported {imported}, {line.integer('present')} already here, {added}{pinned}"


def _pieces(source: str) -> Iterator[bytes]:
    """Yield the archive's bytes; a directory becomes a tar on the way."""
    try:
        if source == "-":
            yield from iter(lambda: sys.stdin.buffer.read(_CHUNK), b"")
            return
        path = Path(source)
        if path.is_dir():
            yield from _directory(path)
            return
        with path.open("rb") as stream:
            yield from iter(lambda: stream.read(_CHUNK), b"")
    except OSError as error:
        raise CommandError(f"{source}: cannot be read: {error.strerror}", ExitCode.USAGE) from error


def _directory(top: Path) -> Iterator[bytes]:
    for path in (top / "oci-layout", top / "index.json", *sorted(top.glob("blobs/*/*"))):
        length = path.stat().st_size
        yield file_header(str(path.relative_to(top)), length)
        with path.open("rb") as stream:
            yield from iter(lambda: stream.read(_CHUNK), b"")
        yield padding(length)
    yield END
