"""What ``make docs`` does beside mkdocs: formulas to MathML, pages that are written elsewhere.

The README is the first page; the notebook is run, and becomes a page with what it prints; the help
of every command follows docs/commands.md.
"""

from __future__ import annotations

import contextlib
import html
import io
import json
import re
from pathlib import Path
from typing import Any

import click
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import calib
import stereo
from stereo.cli.main import cli

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
_TREE = re.compile(r"<p>([^<]*\n├──[^<]*)</p>")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as the first page, and docs/library.ipynb as another."""
    docs = Path(config.docs_dir)
    readme = (docs.parent / "README.md").read_text()
    files.append(File.generated(config, "index.md", content=_seen_from_docs(readme)))
    files.append(File.generated(config, "notebook.md", content=_run(docs / "library.ipynb")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead to the notebook's page rather than to its file; add what is made from the code."""
    if page.file.src_uri == "commands.md":
        markdown += _help_of_commands()
    if page.file.src_uri == "api.md":
        markdown += _unlisted(markdown)
    return markdown.replace("(library.ipynb)", "(notebook.md)")


def on_page_content(content: str, **_: Any) -> str:
    """Draw formulas once and for all, and keep the lines of trees in docstrings."""
    return _TREE.sub(r"<pre><code>\1</code></pre>", _FORMULA.sub(_as_mathml, content))


def _as_mathml(found: re.Match[str]) -> str:
    display = "block" if found[2] == "[" else "inline"
    return convert(html.unescape(found[3]).strip(), display=display)


def _seen_from_docs(readme: str) -> str:
    """The README with its links turned to the site; what is not part of it becomes plain text."""
    plain = re.sub(r"(?<!!)\[([^\]]+)\]\((?!docs/|https?:|#)[^)]*\)", r"`\1`", readme)
    return plain.replace("](docs/", "](").replace('src="docs/', 'src="')


def _run(notebook: Path) -> str:
    """The notebook as a page: text, code, and what the code printed just now."""
    parts: list[str] = []
    names: dict[str, Any] = {}
    for cell in json.loads(notebook.read_text())["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        printed = io.StringIO()
        with contextlib.chdir(notebook.parent), contextlib.redirect_stdout(printed):
            exec(compile(text, notebook.name, "exec"), names)
        parts.append(f"```python\n{text}\n```")
        if printed.getvalue():
            parts.append(f"```text\n{printed.getvalue()}```")
    return "\n\n".join(parts) + "\n"


def _unlisted(reference: str) -> str:
    """Public names that docs/api.md has not given a place yet."""
    public = [
        f"{package.__name__}.{name}" for package in (stereo, calib) for name in package.__all__
    ]
    listed = set(re.findall(r"^::: (\S+)", reference, re.MULTILINE))
    new = [name for name in public if name not in listed and not name.endswith(("Error", "__"))]
    return "\n\n## More\n\n" + "\n".join(f"::: {name}" for name in new) if new else ""


def _help_of_commands() -> str:
    top = click.Context(cli, info_name="stereo")
    parts = ["\n\n## Help of every command"]
    for name in cli.list_commands(top):
        command = cli.get_command(top, name)
        assert command is not None
        text = command.get_help(click.Context(command, top, name, max_content_width=88))
        parts.append(f"### stereo {name}\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"
