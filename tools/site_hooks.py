"""What ``make docs`` does beside mkdocs: formulas to MathML, the notebook to a page."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
_TREE = re.compile(r"<p>([^<]*\n├──[^<]*)</p>")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as the first page, and docs/library.ipynb as another."""
    docs = Path(config.docs_dir)
    readme = (docs.parent / "README.md").read_text()
    notebook = json.loads((docs / "library.ipynb").read_text())
    files.append(File.generated(config, "index.md", content=_seen_from_docs(readme)))
    files.append(File.generated(config, "notebook.md", content=_as_markdown(notebook)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead to the notebook's page rather than to its file."""
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


def _as_markdown(notebook: dict[str, Any]) -> str:
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts) + "\n"
