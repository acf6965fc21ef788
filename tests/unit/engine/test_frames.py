from __future__ import annotations

import random

import pytest

from holdfast.engine.frames import HEADER, Decoder, FrameError, encode

FRAMES = [(1, b""), (2, b"a"), (3, bytes(range(256)) * 40), (4, b""), (5, b"last")]
STREAM = b"".join(encode(kind, body) for kind, body in FRAMES)


@pytest.mark.parametrize("seed", range(20))
def test_frames_come_out_as_they_went_in_however_they_are_cut(seed: int) -> None:
    chance = random.Random(seed)
    decoder, shared = Decoder(), bytearray(len(STREAM))
    found: list[tuple[int, bytes]] = []
    start = 0
    while start < len(STREAM):
        piece = STREAM[start : start + chance.choice([1, 3, 7, 500, 9000])]
        start += len(piece)
        shared[: len(piece)] = piece  # the reader uses its memory again
        found += decoder.feed(memoryview(shared)[: len(piece)])
    assert found == FRAMES
    assert decoder.pending == 0


def test_what_is_left_when_nobody_takes_more_is_kept() -> None:
    decoder = Decoder()
    frames = decoder.feed(STREAM)
    assert next(frames) == FRAMES[0]
    frames.close()
    assert list(decoder.feed(b"")) == FRAMES[1:]


def test_a_body_over_the_limit_is_refused_by_its_header() -> None:
    with pytest.raises(FrameError, match="101 bytes was announced; 100 is the limit"):
        list(Decoder(max_body=100).feed(HEADER.pack(101, 1)))
