"""The interactive page: an image anybody can show, and one script that brings it to life where scripts may run.

``fragment`` makes what a notebook shows, ``document`` a file of its own. The image stands first, so that a notebook
nobody has trusted, where scripts and styles are stripped, still shows it. The data lies inside the script: what
sanitisers leave of other elements is their text, rubbish on the page. Nothing is loaded from anywhere.

What the data holds is written at `Picture.to_dict`. The script stands in four files beside this one, with its style
sheet: ``page_drawing.js`` (the SVGs), ``page_panel.js`` (what is said), ``page_stage.js`` (what is shown at a step) and
``page.js`` (controls, keyboard, themes).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import json
import math
import re
import zlib
from html import escape
from importlib.resources import files
from typing import Any

from .themes import DARK, LECTURE

SCRIPTS = ("page_drawing.js", "page_panel.js", "page_search.js", "page_stage.js", "page.js")
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # in no HTML, and in no UTF-8
TITLE = re.compile("<title>[^<]*</title>")
PAGE_STYLE = (
    "body{margin:0;padding:24px;background:#fff;color:#1b1f24;font-family:sans-serif}"
    "body[data-ag-page=dark]{background:#0f1720;color:#e6edf3}"
    "main{max-width:1500px;margin:auto}h1{position:absolute;clip-path:inset(50%)}"
    "@media(prefers-color-scheme:dark){body[data-ag-page=auto]{background:#0f1720;color:#e6edf3}}"
)
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def fragment(data: dict[str, Any]) -> str:
    """Return one self-contained piece of HTML: the picture as an image, and the script that makes it a figure.

    Equal data gives equal bytes. Several fragments may stand on one page, equal ones too.
    """
    if not data["views"]:
        note = f"<p>{text(data['note'])}</p>" if data.get("note") else ""
        return f'<div class="ag-picture">{note}<pre style="font-family:monospace">{text(data["text"])}</pre></div>'
    first, *others = data["views"]
    shown = data["direction"] if first.get(data["direction"]) else "forward"
    image = base64.b64encode(FORBIDDEN.sub("\ufffd", first[shown]).encode()).decode()
    views = [{**first, shown: None}, *others]
    rest = {**data, "direction": shown, "views": [untitled(view) for view in views], "text": None}
    payload = packed(rest)
    token = hashlib.sha256((image + payload).encode()).hexdigest()[:12]
    return (
        f'<div class="ag-picture" data-ag-picture="{token}">'
        f'<img alt="{text(data["alt"])}" style="max-width:100%" src="data:image/svg+xml;base64,{image}">'
        f'<script>(()=>{{"use strict";\n{script()}'
        f'upgrade(document.currentScript,"{token}","{payload}",{json.dumps(style())});}})()</script></div>'
    )


def document(data: dict[str, Any]) -> str:
    """Return a whole page with the picture on it. Its policy forbids the browser to ask any network for anything."""
    title = text(data["title"] or "graph")
    theme = data["theme"] if data["theme"] in {"auto", "dark"} else "light"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{title}</title><style>{PAGE_STYLE}</style></head>"
        f'<body data-ag-page="{theme}"><main><h1>{title}</h1>{fragment(data)}</main></body></html>\n'
    )


def text(words: str) -> str:
    """Return text as it may stand in HTML, in an attribute too."""
    return escape(FORBIDDEN.sub("\ufffd", words), quote=True)


def packed(data: dict[str, Any]) -> str:
    """Return data compressed, in letters that mean nothing to HTML: a sixth of its size, and no name becomes markup."""
    made = json.dumps(finite(data), allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(made.encode(), 9)).decode()


def untitled(view: dict[str, Any]) -> dict[str, Any]:
    """Return a view without the titles of its boxes, a tenth of a page: there are tooltips instead."""
    return view | {way: view[way] and TITLE.sub("", view[way]) for way in ("forward", "backward")}


def finite(data: Any) -> Any:
    """Return data with numbers that JSON has no words for as strings."""
    if isinstance(data, float) and not math.isfinite(data):
        return "nan" if math.isnan(data) else "inf" if data > 0 else "-inf"
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return data


@functools.cache
def script() -> str:
    """Return the scripts as one, without comments and indentation, which every picture would carry along."""
    sources = [files(__package__).joinpath(name).read_text("utf-8") for name in SCRIPTS]
    lines = (line.strip() for source in sources for line in source.splitlines())
    return "".join(f"{re.sub(r' // .*', '', line)}\n" for line in lines if line and not line.startswith("//"))


@functools.cache
def style() -> str:
    """Return the style sheet, colours of both themes included, in as few bytes as is easy."""
    source = files(__package__).joinpath("page.css").read_text("utf-8")
    light, dark = ("".join(f"--{name}:{colour};" for name, colour in theme.items()) for theme in (LECTURE, DARK))
    palette = f':host{{{light}}}:host([data-theme="dark"]){{{dark}}}'
    for name, theme, kind in itertools.product(("flow", "edge", "constant_line"), (LECTURE, DARK), ("fill", "stroke")):
        palette += f'.legend [{kind}="{theme[name]}"]{{{kind}:var(--{name})}}'
    return palette + re.sub(r"\s*([{};:,])\s+", r"\1", re.sub(r"/\*.*?\*/|\s+", " ", source)).strip()
