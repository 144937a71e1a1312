"""The frames that the benchmarks' client reads."""

import pytest

from benchmarks.wire import PING, TEXT, split

SHORT = b"\x81\x02ok"
LONG = b"\x81\x7e\x00\x80" + bytes(128)
LONGEST = b"\x81\x7f" + (70_000).to_bytes(8, "big") + bytes(70_000)


def test_several_frames_are_taken_apart() -> None:
    frames, rest = split(SHORT + LONG + b"\x89\x00" + LONGEST)
    assert frames == [(TEXT, b"ok"), (TEXT, bytes(128)), (PING, b""), (TEXT, bytes(70_000))]
    assert rest == b""


@pytest.mark.parametrize("whole", [SHORT, LONG, LONGEST], ids=["short", "long", "longest"])
def test_a_frame_may_come_in_parts(whole: bytes) -> None:
    for size in (1, 2, 3, 5, len(whole) - 1):
        part = whole[: min(size, len(whole) - 1)]
        assert split(part) == ([], part)
        assert split(SHORT + part) == ([(TEXT, b"ok")], part)
