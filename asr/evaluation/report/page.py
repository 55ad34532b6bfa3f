"""Self-contained HTML pages: data, pictures, styles and scripts within one file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

ASSETS = files("asr.evaluation.report") / "page_assets"


def render_page(
    title: str,
    body: Traversable,
    data: Mapping[str, Any],
    blobs: Mapping[str, str],
    *,
    styles: Sequence[Traversable],
    scripts: Sequence[Traversable],
) -> str:
    """Renders a page.

    Args:
        title: plain text.
        body: HTML of the page's content.
        data: becomes the JSON that the scripts read.
        blobs: texts by the id of the element that holds them; without markup.
        styles: CSS files.
        scripts: JavaScript files, which share one scope.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    parts = {
        "title": escape(title),
        "style": _read_all(styles),
        "body": body.read_text(encoding="utf-8"),
        "data": text.replace("<", "\\u003c"),  # The data can't end its script element.
        "blobs": "".join(
            f'<script type="text/plain" id="{name}">{text}</script>\n'
            for name, text in blobs.items()
        ),
        "script": _read_all(scripts),
    }
    # The frame is split once: braces within a part are no placeholders.
    head, *pieces = (ASSETS / "frame.html").read_text(encoding="utf-8").split("{{")
    page = [head]
    for piece in pieces:
        name, _, rest = piece.partition("}}")
        page += [parts[name], rest]
    return "".join(page)


def _read_all(assets: Sequence[Traversable]) -> str:
    return "\n".join(asset.read_text(encoding="utf-8") for asset in assets)
