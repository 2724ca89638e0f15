"""The documentation holds what it promises: links, commands, snippets, the notebook, the site."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import calib
import stereo
from stereo.cli.main import cli
from stereo.matching import sgm

REPO = Path(__file__).resolve().parent.parent
DOCS = REPO / "docs"
PAGES = sorted([REPO / "README.md", *DOCS.glob("*.md")])
MOST_PICTURE_BYTES = 1_500_000

_LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
_FENCE = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`]+)`")
_OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def _anchors(page: Path) -> set[str]:
    """Where links into a page may lead, as GitHub and mkdocs name its headings."""
    text = _FENCE.sub("", page.read_text())
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).strip() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def _commands(page: Path) -> list[str]:
    """Every call of ``stereo`` that a page shows, on one line each, comments left away."""
    text = page.read_text()
    code = _FENCE.findall(text)
    inline = [" ".join(words.split()) for words in _INLINE.findall(_FENCE.sub("", text))]
    lines = "\n".join(code).replace("\\\n", " ").splitlines() + inline
    return [line.partition("#")[0].strip() for line in lines if line.startswith("stereo ")]


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    for link, source in _LINK.findall(page.read_text()):
        target = link or source
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        there = page.parent / name if name else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in _anchors(there), f"{page.name}: {target}"


@pages
def test_every_command_and_option_exists(page: Path) -> None:
    for line in _commands(page):
        name = line.split()[1]
        if not re.fullmatch("[a-z]+", name):  # `stereo --help`, `stereo ...`
            continue
        command = cli.get_command(click.Context(cli), name)  # loaded when it is asked for
        assert command is not None, f"{page.name}: {line}"
        known = {o for p in command.params if isinstance(p, click.Option) for o in _names(p)}
        for option in _OPTION.findall(re.sub(r"'[^']*'|\"[^\"]*\"", "", line)):
            assert option in known | {"-h", "--help"}, f"{page.name}: {option} in {line}"


def _names(option: click.Option) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def test_the_readme_runs_as_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # it writes a cloud
    Path("sample_data").symlink_to(REPO / "sample_data")
    names: dict[str, object] = {}
    for snippet in re.findall(r"```python\n(.*?)```", (REPO / "README.md").read_text(), re.DOTALL):
        code = compile(snippet, "README.md", "exec")
        if "sbs:0" not in snippet:  # no camera here
            exec(code, names)
    assert Path("out.ply").stat().st_size > 1000


@pytest.mark.skipif(not sgm.is_available(), reason="native matcher not built")
def test_the_notebook_runs_and_holds_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DOCS)
    notebook = json.loads((DOCS / "library.ipynb").read_text())
    names: dict[str, object] = {}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            assert not cell["outputs"], f"cell {number}"
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)


def test_pictures_are_used_and_small() -> None:
    shown = "".join(page.read_text() for page in PAGES)
    pictures = list((DOCS / "pictures").iterdir())
    assert [picture.name for picture in pictures if f"pictures/{picture.name}" not in shown] == []
    assert sum(picture.stat().st_size for picture in pictures) <= MOST_PICTURE_BYTES


def test_every_page_is_in_the_menu() -> None:
    menu = (REPO / "mkdocs.yml").read_text()
    assert [page.name for page in DOCS.glob("*.md") if f": {page.name}" not in menu] == []


def test_the_site_builds_and_asks_nothing_of_the_network(tmp_path: Path) -> None:
    for module in ("mkdocs", "material", "mkdocstrings", "latex2mathml"):
        pytest.importorskip(module, reason="needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    done = subprocess.run(
        [*command, "--site-dir", str(tmp_path)], cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    written = "".join(page.read_text() for page in tmp_path.glob("*.html"))
    fetched = re.findall(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=\"https?:[^\"]*\"", written)
    assert fetched == []
    reference = (tmp_path / "api.html").read_text()
    assert "<math" in (tmp_path / "inside.html").read_text()
    assert "arithmatex" not in written  # all formulas were drawn
    for package in (stereo, calib):  # also those that api.md does not list yet
        for name in set(package.__all__) - {"__version__"}:
            assert f'.{name}"' in reference, name
    assert "<pre><code>StereoError\n├──" in reference
