"""What many tests need: where the real and the sample data lie, and how hypothesis searches."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import settings
from support import Cli, Ended

REPO = Path(__file__).resolve().parents[1]
SHARED = REPO.parent / "shared" / "data"

settings.register_profile("ci", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data, which lives outside the project."""
    if not SHARED.is_dir():
        pytest.skip("real data (../shared/data) is not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def sample_data() -> Path:
    return REPO / "sample_data"


@pytest.fixture(scope="session")
def open3d() -> None:
    """Skips where open3d does not load: it is optional, and so are the libraries it needs."""
    try:
        import open3d  # noqa: F401
    except (ImportError, OSError) as error:
        pytest.skip(f"open3d does not load: {error}")


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line in this process, its errors caught where users' are."""
    from stereo.cli.main import _run

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["stereo", *map(str, arguments)])
        code = _run()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Ended(code, captured.out, captured.err)

    return call
