"""Values and texts that trip readers: what the doors make their cases of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from holdfast.model.json import parse_document

#: JSON texts, not values: some of them no JSON library would write.
NASTY = (
    "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1e-999", "-0", "0.1e1", "1" * 26,
    "9" * 400, "1" * 5000, "18446744073709551616", "-9223372036854775809", "9007199254740993",
    "null", "true", "false", '""', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\u202e\u2066"',
    '"\\u001b]0;x\\u0007\\u009b31m"', '"' + "x" * 5000 + '"', '"a\\"}],[{"', "[]", "{}", "[[]]",
    '{"":{}}', '{"__proto__":{"a":1}}', '{"constructor":null}', '{"stream":1,"bytes":0}',
    '{"blob":"../../x","bytes":1}', '{"blob":"' + "0" * 64 + '","bytes":1}', '{"inline":"{"}',
    '{"inline":"{}","omitted":true}', '{"withheld":"DATACLIP_TOO_LARGE","bytes":-1}',
    '{"omitted":false}', '"1795424525513089"', '"9999999999999999"', "1795424525513",
    '"success"', '"fail"', '"exception"', '"00000000-0000-4000-8000-000000000000"', "[1,2", "{",
    "'x'", "\ufeff1", "1 2", "[" * 100 + "]" * 100, "[" * 300 + "]" * 300, "[" * 2000,
    '{"a":' * 500 + "NaN" + "}" * 500,
)  # fmt: skip


def _is_json(text: str) -> bool:
    try:
        parse_document(text.encode())
    except ValueError:
        return False
    return True


#: Those of them that are JSON all the same.
ODD = tuple(text for text in NASTY if _is_json(text))
#: Bytes that mean something to some reader.
MARKS = (
    b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\n", b"\r\n", b'"', b"\\",
    b"{", b"}", b"[", b"]", b",", b":", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80",
    b"\x1b[2J", b"\xc2\x9b", b"HFJRNL", b"../", b"%00", b"null", b"1e999", b"NaN",
)  # fmt: skip


def text_of(value: Any, chance: Random, *, wild: float = 0.1, nasty: Sequence[str] = NASTY) -> str:
    """JSON text of a value, in which each part is replaced by a nasty one with this chance."""
    if chance.random() < wild:
        return chance.choice(nasty)
    if isinstance(value, dict):
        pairs = [
            f"{json.dumps(key)}:{text_of(item, chance, wild=wild, nasty=nasty)}"
            for key, item in value.items()
            if chance.random() >= wild / 2
        ]
        if chance.random() < wild / 2:
            pairs.append(f'"more":{chance.choice(nasty)}')
        if chance.random() < wild / 4 and pairs:
            pairs.append(chance.choice(pairs))  # a name that stands there twice
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return (
            "[" + ",".join(text_of(item, chance, wild=wild, nasty=nasty) for item in value) + "]"
        )
    return json.dumps(value)


def changed(data: bytes, chance: Random) -> bytes:
    """The bytes with a few changes: flipped, cut, repeated, moved, replaced by marks."""
    piece = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(piece) + 1)
        to = min(len(piece), at + chance.choice((1, 1, 2, 4, 16, 64, 256)))
        what = chance.randrange(6)
        if what == 0 and at < len(piece):
            piece[at] ^= 1 << chance.randrange(8)
        elif what == 1:
            del piece[at:to]
        elif what == 2:
            piece[at:at] = piece[at:to] * chance.choice((1, 2, 30))
        elif what == 3:
            piece[at:at] = chance.choice(MARKS)
        elif what == 4:
            piece[at:to] = chance.choice(NASTY).encode("utf-8", "surrogatepass")
        else:
            piece[at:to] = chance.randbytes(to - at)
    return bytes(piece[:300_000])
