"""Files that mean harm, to every reader and to the commands: pipes, devices, headers of gigabytes,
archives that unfold, nesting, numbers without end."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pngs

from faults import samples
from faults.asking import Question, Row, ask_all
from faults.samples import put

DEEP = 100_000
SIZES = {"images": (30_000, 30_000), "empty": (14_000, 14_000)}


# --- what is no regular file, or no file --------------------------------------------------------


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _sparse(size: int, head: bytes = b"") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.write(head)
            file.truncate(size)

    return make


PLACES: dict[str, Callable[[Path], object]] = {
    "a pipe": _pipe,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "random without end": lambda path: path.symlink_to("/dev/urandom"),
    "a folder": lambda path: path.mkdir(),
    "a link to itself": _loop,
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "nothing": lambda path: path.touch(),
    "a gigabyte of zeros": _sparse(10**9),
    "a terabyte": _sparse(10**12),
    "a socket": lambda path: _socket(path),
    "text without end": lambda path: path.write_bytes(b"a" * 30_000_000),
    "a million lines": lambda path: path.write_bytes(b"\n" * 1_000_000),
    "zeros": lambda path: path.write_bytes(bytes(100_000)),
}
"""What may lie where a file is expected."""


def _socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as it:
        before = Path.cwd()
        os.chdir(path.parent)  # an address holds 108 letters
        try:
            it.bind(path.name)
        finally:
            os.chdir(before)


# --- what a kind of file can do -----------------------------------------------------------------


def _png(size: tuple[int, int], depth: int, kind: int, *, rows: bool) -> bytes:
    """A PNG of zeros, whole or with a few rows; small in either case."""
    channels = {0: 1, 2: 3, 6: 4}[kind]
    width = 1 + size[0] * channels * depth // 8
    squeeze = zlib.compressobj(9)
    data = b"".join(squeeze.compress(bytes(width)) for _ in range(size[1] if rows else 1))
    head = struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", data + squeeze.flush()), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _text_bomb() -> bytes:
    """A PNG whose comment unfolds to a hundred megabytes."""
    good = next(files["left.png"] for files in samples.images() if "left.png" in files)
    comment = b"note\0\0" + zlib.compress(bytes(100_000_000), 9)
    return good[:33] + _chunk(b"zTXt", comment) + good[33:]


def _jpeg(side: int) -> bytes:
    good = next(files["left.jpg"] for files in samples.images() if "left.jpg" in files)
    at = good.index(b"\xff\xc0")
    return good[: at + 5] + 2 * side.to_bytes(2, "big") + good[at + 9 :]


def _npy(shape: str, data: bytes = b"", kind: str = "<f4") -> bytes:
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + data


def _zip(name: str, megabytes: int, count: int = 1) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for k in range(count):
            archive.writestr(f"{name}{k}.npy", _npy("(1000,)") + bytes(megabytes * 10**6))
    return file.getvalue()


_YAML = "\n".join(
    ["%YAML:1.0", "---", "a0: &a0 [x]"]
    + [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12)]
).encode()
_XML = "\n".join(
    ['<?xml version="1.0"?>', "<!DOCTYPE opencv_storage [", '<!ENTITY a0 "x">']
    + [f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 12)]
    + ["]>", "<opencv_storage><K>&a11;</K></opencv_storage>"]
).encode()

JSON = {
    "lists in lists": b"[" * DEEP,
    "objects in objects": b'{"pairs":' * DEEP,
    "closed nesting": b'{"pairs": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "ten megabytes of numbers": b"[" + b"1," * 5_000_000 + b"1]",
    "a number of a million digits": b'{"pairs": ' + b"9" * 1_000_000 + b"}",
    "infinite": b'{"pairs": [1e999, -1e999, Infinity, NaN]}',
    "many objects": b"[" + b"{}," * 900_000 + b"{}]",
    "a long text": b'{"pairs": "' + b"a" * 3_900_000 + b'"}',
    "one key again and again": b"{" + b'"a": 1,' * 500_000 + b'"a": 1}',
    "lone surrogates": b'{"pairs": [{"name": "\\ud800", "left": "\\udfff"}]}',
}
TOML = {
    "lists in lists": b"a=" + b"[" * DEEP,
    "tables in tables": b"a=" + b"{b=" * DEEP,
    "a key of many parts": b"a." * DEEP + b"a=1",
    "ten megabytes of numbers": b"a=[" + b"1," * 5_000_000 + b"]",
    "a number of many digits": b"num_disparities = " + b"9" * 30_000,
    "infinite": b"max_depth_m = inf\nmin_depth_m = nan\nnum_disparities = 1e308\n",
    "many tables": b"".join(b"[[a]]\n" for _ in range(9_000)),
}
YAML = {
    "aliases of aliases": _YAML,
    "flow nesting": b"%YAML:1.0\n---\nK: " + b"[" * DEEP,
    "maps in maps": b"%YAML:1.0\n---\nK: " + b"{a: " * DEEP,
    "block nesting": b"\n".join(b" " * k + b"a:" for k in range(2000)),
    "entities of entities": _XML,
    "elements in elements": b'<?xml version="1.0"?>\n<opencv_storage>' + b"<a>" * DEEP,
    "rows without end": b"%YAML:1.0\n---\nK: !!opencv-matrix\n   rows: 99999999\n"
    b"   cols: 99999999\n   dt: d\n   data: [1.]\n",
    "a number of a million digits": b"%YAML:1.0\n---\nK: " + b"9" * 1_000_000,
    "a long key": b"? " + b"a" * 3_000_000 + b"\n: 1\n",
    "merge keys": b"a: &a {b: 1}\n" + b"<<: *a\n" * 100_000,
    "an object of Python": b"!!python/object/apply:os.system ['true']\n",
}
IMAGES = {
    "a header of gigabytes": ("left.png", lambda: _png(SIZES["images"], 8, 2, rows=False)),
    "a header of the largest side": ("left.png", lambda: _png((2**31 - 1, 1), 8, 0, rows=False)),
    "a gigabyte of nothing": ("left.png", lambda: _png(SIZES["empty"], 16, 2, rows=True)),
    "gray of nothing": ("left.png", lambda: _png(SIZES["empty"], 8, 0, rows=True)),
    "a comment that unfolds": ("left.png", _text_bomb),
    "65500x65500": ("left.jpg", lambda: _jpeg(65500)),
    "12000x12000": ("left.jpg", lambda: _jpeg(12000)),
    "a BMP of gigabytes": (
        "left.bmp",
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, 40000, 40000, 1, 24, 0, 0,
                                    0, 0, 0, 0) + bytes(6),
    ),
    "a PGM of gigabytes": ("left.pgm", lambda: b"P5 14000 14000 65535\n" + bytes(100)),
    "a PGM of ASCII": ("left.pgm", lambda: b"P2 12000 12000 255\n" + b"1 " * 100),
    "a TIFF that names itself": (
        "left.tiff",
        lambda: b"II*\0\x08\0\0\0" + struct.pack("<H", 65535) + bytes(12) * 300,
    ),
    "a WEBP of the largest size": (
        "left.webp",
        lambda: b"RIFF" + struct.pack("<I", 100) + b"WEBPVP8L" + struct.pack("<I", 60)
        + b"\x2f" + struct.pack("<I", 0x0FFFFFFF) + bytes(60),
    ),
}  # fmt: skip
MAPS = {
    "dims of terabytes": ("disparity.pfm", lambda: b"Pf\n1000000 1000000\n-1.0\n" + bytes(100)),
    "dims of many digits": ("disparity.pfm", lambda: b"Pf\n" + b"9" * 90 + b" 9\n-1.0\n"),
    "a scale without end": ("disparity.pfm", lambda: b"Pf\n4 4\n-1e99999\n" + bytes(64)),
    "a shape of terabytes": ("depth_m.npy", lambda: _npy("(1000000, 1000000)", bytes(100))),
    "a shape below zero": ("depth_m.npy", lambda: _npy("(-1, 4)", bytes(100))),
    "objects": ("depth_m.npy", lambda: _npy("(4, 4)", b"cos\nsystem\n(S'true'\ntR.", "|O")),
    "a header of Python": ("depth_m.npy", lambda: _npy("(" * 3000 + ")" * 3000)),
    "an archive": ("depth_m.npy", lambda: _zip("depth", 200)),
}
CLOUDS = {
    "so many points": ("cloud.ply", lambda: _ply(10**18)),
    "digits": ("cloud.ply", lambda: _ply(int("9" * 4000))),
    "no end of the header": ("cloud.ply", lambda: b"ply\n" + b"comment a\n" * 1_000_000),
    "so many": (
        "cloud.pcd",
        lambda: b"# .PCD v0.7\nFIELDS x y z rgb\nPOINTS " + b"9" * 30 + b"\nDATA binary\n",
    ),
}


def _ply(count: int) -> bytes:
    import sys

    sys.set_int_max_str_digits(0)
    good = next(files["cloud.ply"] for files in samples.clouds() if "cloud.ply" in files)
    return good.replace(b"element vertex 200", b"element vertex %s" % str(count).encode())


CALIBRATIONS = {
    "an archive that unfolds": ("calib.npz", lambda: _zip("K", 400)),
    "an archive of many": ("calib.npz", lambda: _zip("K", 1, 1000)),
    "an array of terabytes": ("calib.npz", lambda: _stored("K.npy", _npy("(1000000, 1000000)"))),
    "a MATLAB file that unfolds": ("stereo.mat", lambda: _mat(bytes(400_000_000))),
    "MATLAB matrices in matrices": ("stereo.mat", lambda: _mat_nested()),
}


def _stored(name: str, raw: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, raw)
    return file.getvalue()


def _mat(inside: bytes) -> bytes:
    squeeze = zlib.compress(struct.pack("<II", 14, len(inside)) + inside, 9)
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\x01IM"
    return head + struct.pack("<II", 15, len(squeeze)) + squeeze


def _mat_nested() -> bytes:
    data = b""
    for _ in range(1000):
        data = struct.pack("<II", 14, len(data)) + data
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\x01IM" + data


def _recordings() -> dict[str, Callable[[Path], object]]:
    """What can be done to a recording that stands in a folder."""
    return {
        "an index of nesting": lambda f: (f / "index.jsonl").write_bytes(b"[" * 30_000_000),
        "an index of many lines": lambda f: (f / "index.jsonl").write_bytes(b"{}\n" * 200_000),
        "an index of zeros": lambda f: _sparse(10**12)(f / "index.jsonl"),
        "an index of times": lambda f: (f / "index.jsonl").write_bytes(
            b'{"time_s": 1e308, "skew_s": -1e308, "left": "a", "right": "b"}\n' * 30
        ),
        "a name of a device": lambda f: (f / "index.jsonl").write_text(
            json.dumps({"time_s": 0, "skew_s": 0, "left": "/dev/zero", "right": "/dev/zero"}) + "\n"
        ),
        "an image of gigabytes": lambda f: pngs.bomb(f / "frames/000000_left.png"),
        "an image that is a pipe": lambda f: _instead(f / "frames/000000_left.png", _pipe),
        "an image without end": lambda f: _instead(
            f / "frames/000000_left.png", PLACES["an endless device"]
        ),
        "aliases in the rig": lambda f: (f / "rig.yaml").write_bytes(_YAML),
        "a rig that is a pipe": lambda f: _instead(f / "rig.yaml", _pipe),
        "nesting": lambda f: (f / "recording.json").write_bytes(JSON["objects in objects"]),
        "no frames": lambda f: _instead(f / "index.jsonl", lambda p: p.touch()),
    }


def _instead(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


# --- questions ----------------------------------------------------------------------------------

_FIRST = {
    "calibration": "calib.yaml", "camera": "camera.yaml", "image": "left.png",
    "image of a board": "left.png", "map": "disparity.pfm", "picture": "depth_m.npy",
    "cloud": "cloud.ply", "manifest": "pairs.json", "settings": "settings.toml",
    "recording": "recording.json", "bag": "b.bag", "video": "clip.mp4",
}  # fmt: skip
"""reader -> a name that it takes for its own."""
_HARM: dict[str, dict[str, tuple[str, Callable[[], bytes]]]] = {
    "image": IMAGES,
    "image of a board": IMAGES,
    "map": MAPS,
    "picture": MAPS,
    "cloud": CLOUDS,
    "calibration": CALIBRATIONS
    | {name: ("calib.yaml", lambda raw=raw: raw) for name, raw in YAML.items()}
    | {f"JSON, {name}": ("calib.json", lambda raw=raw: raw) for name, raw in JSON.items()},
    "camera": {
        name: ("camera.yaml", lambda raw=raw: b"schema: stereo-depth-camera\n" + raw)
        for name, raw in YAML.items()
    },
    "manifest": {name: ("pairs.json", lambda raw=raw: raw) for name, raw in JSON.items()},
    "recording": {name: ("recording.json", lambda raw=raw: raw) for name, raw in JSON.items()},
    "settings": {name: ("settings.toml", lambda raw=raw: raw) for name, raw in TOML.items()},
}
_COMMANDS: dict[str, tuple[str, list[str]]] = {
    "run": ("left.png", ["run", "{0}", "{0}x.png", "-o", "{1}/out"]),
    "run, a source": ("clip.mp4", ["run", "{0}", "-o", "{1}/out"]),
    "run, settings": ("s.toml", ["run", "a.png", "b.png", "-o", "{1}/out", "--config", "{0}"]),
    "run, a rig": ("rig.yaml", ["run", "a.png", "b.png", "-o", "{1}/out", "--calib", "{0}"]),
    "rectify": ("left.png", ["rectify", "{0}", "{0}", "--calib", "rig.yaml", "-o", "{1}/out"]),
    "calibrate": ("left.png", ["calibrate", "{0}", "{0}", "--board", "chessboard:9x6:25mm",
                               "-o", "{1}/out.yaml"]),
    "calibrate, known": ("rig.yaml", ["calibrate", "{1}/a*", "{1}/b*", "--board",
                                      "chessboard:9x6:25mm", "--from", "{0}", "-o", "{1}/o.yaml"]),
    "inspect": ("rig.yaml", ["inspect", "{0}"]),
    "convert": ("rig.yaml", ["convert", "{0}", "{1}/out.yaml", "--to", "opencv"]),
    "check": ("rig.yaml", ["check", "{0}", "{1}/a.png", "{1}/b.png"]),
    "eval": ("pairs.json", ["eval", "{0}"]),
    "view": ("depth_m.npy", ["view", "{0}", "-o", "{1}/out.png"]),
    "record": ("clip.mp4", ["record", "{0}", "-o", "{1}/out"]),
    "live": ("clip.mp4", ["live", "{0}", "--view", "none"]),
}  # fmt: skip


def questions(folder: Path) -> Iterator[Question]:
    """Make every bomb below ``folder``, and ask those who would read it."""
    number = 0

    def place(name: str, make: Callable[[Path], object]) -> Path:
        nonlocal number
        number += 1
        path = folder / str(number) / name
        path.parent.mkdir(parents=True)
        make(path)
        return path

    for reader, name in _FIRST.items():
        for what, make in PLACES.items():
            path = place(name, make)
            where = path.parent if reader == "recording" else path
            yield "bombs to readers", f"{reader}: {what}", _asked(reader, where)
        for what, (named, content) in _HARM.get(reader, {}).items():
            path = place(named, lambda p, content=content: p.write_bytes(content()))
            where = path.parent if reader == "recording" else path
            yield "bombs to readers", f"{reader}: {what}", _asked(reader, where)
    for what, spoil in _recordings().items():
        path = place("r/x", lambda _: None).parent
        put(samples.recordings()[0], path)
        spoil(path)
        yield "bombs to readers", f"recording: {what}", _asked("recording", path)
    for words, (name, arguments) in _COMMANDS.items():
        for what, make in PLACES.items():
            path = place(name, make)
            filled = [each.format(path, path.parent) for each in arguments]
            asked = {"do": "command", "arguments": filled}
            yield "bombs to commands", f"stereo {words}: {what}", asked


def _asked(reader: str, path: Path) -> dict[str, object]:
    return {"do": "read", "reader": reader, "path": str(path)}


def bombs(scratch: Path, *, workers: int, every: int = 1) -> list[Row]:
    """Try them; one in ``every``."""
    asked = (question for k, question in enumerate(questions(scratch)) if k % every == 0)
    return ask_all(asked, workers=workers)
