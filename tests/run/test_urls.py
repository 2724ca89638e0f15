"""A batch whose list, images and results lie in a store of objects, served on this computer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import METRIC, Cli, textured_pair

from stereo.errors import InputError, MissingLibraryError, OutputError
from stereo.files import outputs
from stereo.files.urls import UrlPath, is_url, place

FAST = ("--matcher", "sgbm", "--no-surfaces", "--workers", "1", "--outputs", "depth,preview")


def test_urls_and_paths_are_told_apart() -> None:
    assert is_url("s3://bucket/a.png")
    assert not is_url("C:/a.png")
    assert place("file:///a/b") == Path("/a/b")
    assert place("a/b") == Path("a/b")
    assert place("gs://b/out/") == UrlPath("gs://b/out")
    assert str((UrlPath("s3://b/x") / "y/z").relative_to(UrlPath("s3://b"))) == "x/y/z"


def test_what_is_wrong_with_a_url_is_said(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="needs the extra cluster")
    with pytest.raises(InputError, match="nonsense"):
        UrlPath("nonsense://a/b").read_bytes()
    ended = cli("batch", "s3://bucket/left", "s3://bucket/right", "-o", tmp_path)
    assert ended.code == 2
    assert "named in a list of pairs" in ended.err


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingLibraryError, match=r"stereo-depth\[cluster\]"):
        UrlPath("memory://a").read_bytes()


def test_a_store_that_takes_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs the extra cluster")

    def full(*_: Any, **__: Any) -> None:
        raise PermissionError("AccessDenied")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "pipe_file", full)
    with pytest.raises(OutputError, match=r"memory://a/b: cannot be written.*AccessDenied"):
        UrlPath("memory://a/b").write_bytes(b"x")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a local S3 server, which the environment names for others too."""
    pytest.importorskip("s3fs", reason="needs s3fs")
    server_of = pytest.importorskip("moto.server", reason="needs moto[s3] and flask-cors")
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "here")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = server_of.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    yield client
    server.stop()


@pytest.mark.filterwarnings("ignore")  # of libraries of others
def test_list_images_and_results_on_s3(s3: Any, tmp_path: Path) -> None:
    for side in ("left", "right"):
        file = tmp_path / f"{side}.png"
        outputs.write_image_png(file, getattr(textured_pair(5.0), side))
        s3.upload_file(str(file), "bucket", f"in/{side}.png")
    rows = ["left,right,name", "left.png,right.png,one", "none.png,right.png,bad"]
    s3.put_object(Bucket="bucket", Key="in/list.csv", Body="\n".join(rows).encode())
    call = [sys.executable, "-m", "stereo.cli.main", "batch", "s3://bucket/in/list.csv"]
    call += [*map(str, METRIC), *FAST, "-o"]

    def batch(out: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*call, out], cwd=tmp_path, capture_output=True, text=True, env=os.environ
        )

    first, again = batch("s3://bucket/out"), batch("s3://bucket/out")
    assert first.returncode == again.returncode == 3, first.stderr
    assert "1 pairs done, 0 done before, 1 set aside" in first.stdout
    assert "0 pairs done, 1 done before, 1 set aside" in again.stdout
    assert "s3://bucket/in/none.png: no such file" in first.stderr
    listing = s3.list_objects_v2(Bucket="bucket", Prefix="out")["Contents"]
    assert {entry["Key"] for entry in listing} == {
        *("out/one/depth_mm.png", "out/one/preview.png", "out/one/summary.json"),
    }
    assert (tmp_path / "stereo-batch-s3-bucket-out" / "index.html").read_text().count(
        "<figure"
    ) == 1
    nowhere = batch("s3://no-bucket/out")
    assert nowhere.returncode == 1
    assert "s3://no-bucket/out/one/" in nowhere.stderr
