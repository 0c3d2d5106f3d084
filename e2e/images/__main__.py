"""Build the test images and say what they are: `python -m e2e.images`."""

from __future__ import annotations

import time

from e2e.images.cache import load_images


def main() -> None:
    """Print every reference with its config digest and size."""
    begin = time.monotonic()
    for named in load_images():
        size = sum(len(blob) for blob in named.image.blobs.values())
        for reference in named.references:
            print(f"{reference:66} {named.image.config_digest[7:19]} {size / 1e6:7.2f} MB")
    print(f"ready after {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    main()
