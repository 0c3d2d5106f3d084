"""The dictionary that SPDY/3 gives to zlib before the first header block.

Data alone, no I/O: draft-mbelshe-httpbis-spdy-00 (IETF, February 2012), the section on header compression, defines it
byte by byte. It is a list of words, each behind its length in four bytes, and one text.
"""

import struct

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language "
    "accept-ranges age allow authorization cache-control connection content-base "
    "content-encoding content-language content-length content-location content-md5 "
    "content-range content-type date etag expect expires from host if-match if-modified-since "
    "if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer "
    "transfer-encoding upgrade user-agent vary via warning www-authenticate method get status "
    "200_OK version HTTP/1.1 url public set-cookie keep-alive origin"
)
"""In the order of the draft; an underscore stands for a space inside a word."""
_TEXT = (
    "1001012012022052063003023033043053063074024054064074084094104114124134144154164175025045"
    "05203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401"
    " Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 S"
    "ervice UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, We"
    "d, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xm"
    "l,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdc"
    "hcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _with_length(word: str) -> bytes:
    return struct.pack(">I", len(word)) + word.replace("_", " ").encode()


DICTIONARY = b"".join(_with_length(word) for word in _WORDS.split()) + _TEXT.encode()
"""1423 bytes; its Adler-32 is e3c6a7c2, which stands at the start of each compressed direction."""
