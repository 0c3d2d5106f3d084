"""Kubernetes quantities such as `10M`, `1.5Gi` or `500m`, as pod annotations carry them.

Pure. Exact: no floating point, so that `0.1` of something is not a little less (apimachinery resource.Quantity).
"""

import re
from fractions import Fraction

_FORM = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([eE][+-]?[0-9]{1,3})|([a-zA-Z]*))")

_SUFFIXES = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}

_LONGEST = 64
"""Characters; no quantity that means something needs more."""


def parse_quantity(text: str) -> int:
    """Return a quantity rounded up to a whole number, as Quantity.Value() rounds.

    Raises:
        ValueError: it is no quantity, or needs more than 63 bits.
    """
    found = _FORM.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None or (found[3] or "") not in _SUFFIXES:
        raise ValueError(f"{text[:_LONGEST]!r} is not a quantity such as 10M or 1.5Gi")
    scale = Fraction(10) ** int(found[2][1:]) if found[2] else _SUFFIXES[found[3]]
    value = Fraction(found[1]) * scale
    whole = -(-value.numerator // value.denominator)
    if abs(whole) >= 1 << 63:
        raise ValueError(f"{text[:_LONGEST]!r} is larger than 63 bits")
    return whole
