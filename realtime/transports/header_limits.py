"""Limits on the headers that are costly to parse, in force before any parser sees them.

A server admits headers of tens of KB. Those parsers take time that grows with the square of the
length: the standard library's for a Content-Type, and for cookies with backslashes before Python
3.11.10, 3.12.6 and 3.13 (CVE-2024-7592).
"""

from starlette.types import Scope

MAX_SIZES = {b"content-type": 1_000, b"cookie": 1_000, b"host": 500, b"origin": 500}
"""Bytes that a header may have, all of one name together; of cookies, those with a backslash."""


def too_large(scope: Scope) -> str | None:
    """Return the name of a header that is too large to be parsed, None if there is none."""
    sizes = dict.fromkeys(MAX_SIZES, 0)
    for name, value in scope["headers"]:
        if name not in sizes:
            continue
        if name == b"cookie":
            if b"\\" in value:
                sizes[name] += sum(len(each) for each in value.split(b";") if b"\\" in each)
        else:
            sizes[name] += len(value)
    for name, size in sizes.items():
        if size > MAX_SIZES[name]:
            return name.decode().title()
    return None
