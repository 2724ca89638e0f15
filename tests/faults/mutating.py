"""Files spoilt at random: bytes, pieces and words exchanged, doubled, moved or taken out."""

from __future__ import annotations

import random
import struct

_TOKENS = [
    b"", b"\0", b"-", b"nan", b"inf", b"1e999", b"1e-320", b"9" * 400, b"[", b"]", b"{", b"}", b":",
    b"\n", b"'", b'"', b"!!", b"*a", b"&a ", b"<", b"/>", b"#", b"%YAML:1.0\n", b"\xff", b"0",
    b"-1", b"true", b"null", b"rows: 3", b"cam0:", b"T_BS:", b"=", b";", b"\xef\xbb\xbf", b"..",
    b"\xff\xd8", b"\xff\xd9", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0",
]  # fmt: skip
_LARGE = (0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)


def mutated(raw: bytes, rng: random.Random) -> bytes:
    """A file with one to six changes; one in ten is cut besides."""
    out = bytearray(raw)
    for _ in range(rng.randint(1, 6)):
        _change(out, rng)
    if rng.random() < 0.1:
        del out[rng.randint(0, len(out)) :]
    return bytes(out)


def _change(out: bytearray, rng: random.Random) -> None:
    # headers decide most and are short: every other change is in the first bytes
    reach = max(len(out) - 1, 0) if rng.random() < 0.5 else min(max(len(out) - 1, 0), 200)
    at, length = rng.randint(0, reach), rng.choice((0, 1, 1, 2, 4, 8, 40, 200))
    piece = bytes(out[at : at + length])
    match rng.randint(0, 6):
        case 0:
            out[at : at + length] = rng.choice(_TOKENS)
        case 1:
            out[at:at] = piece * rng.choice((1, 2, 50))
        case 2:
            there = rng.randint(0, max(len(out) - 1, 0))
            out[there:there] = piece
        case 3:
            out[at : at + 1] = bytes([rng.randint(0, 255)])
        case 4:
            out[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice(_LARGE))
        case 5 if out:
            out[at] ^= 1 << rng.randint(0, 7)
        case _:
            del out[at : at + length]
