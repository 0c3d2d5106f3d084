"""`python -m image.worker FD`: serve one pull on the inherited socket with this number."""

import sys

from image.worker.main import main

main(int(sys.argv[1]))
