"""A pull in words: how far it is, and how it went. Pure."""

from cri.command.texts import count, duration, number, short, size
from image.model.json_document import JsonObject

_PHASES = ("resolving", "downloading", "unpacking", "committing")
_WORDS = {
    "resolving": "resolve",
    "downloading": "download",
    "unpacking": "unpack",
    "committing": "commit",
}


def pull_line(one: JsonObject) -> str:
    """Return a running pull in one line: `app:v2 61 % 742 MB of 1.21 GB, 48 MB/s, 10 s left (download 4 of 9)`."""
    name, phase = one.text("reference"), one.text("phase")
    total, done = number(one, "total_bytes"), number(one, "bytes")
    if not total:
        return f"{name} {phase}"
    rate = number(one, "bytes_per_second")
    parts = [f"{100 * done / total:.0f} % {size(done)} of {size(total)}"]
    if rate and phase == "downloading":
        left = max(1.0, number(one, "seconds_left"))
        parts += [f"{size(rate)}/s", f"{duration(left)} left"]
    return f"{name} {', '.join(parts)} ({_layers(one)})"


def _layers(one: JsonObject) -> str:
    phases = [layer.text("phase") for layer in one.children("layers")]
    fetched = len(phases) - phases.count("present")
    done = phases.count("done")
    present = phases.count("present")
    known = f", {present} here already" if present else ""
    return f"{one.text('phase')}, {done} of {count(fetched, 'layer')} done{known}"


def done_line(line: JsonObject) -> str:
    """Return how a pull went."""
    name, took = line.text("reference"), duration(number(line, "seconds"))
    layers, reused = line.integer("layers"), line.integer("layers_reused")
    if layers and reused == layers and not number(line, "bytes"):
        return f"{name} is up to date ({short(line.text('id'))}), checked in {took}"
    spent = line.child("phases")
    parts = [
        f"{_WORDS[name]} {duration(number(spent, name))}"
        for name in _PHASES
        if spent and number(spent, name) >= 0.05
    ]
    source = f" from {line.text('source')}" if line.text("source") else ""
    kept = f"; {count(reused, 'layer')} of {layers} reused" if reused else ""
    phases = f": {', '.join(parts)}" if parts else ""
    return (
        f"{name} pulled{source} in {took}, {size(number(line, 'bytes'))}{phases}{kept}"
        f" ({short(line.text('id'))})"
    )
