"""The report: one HTML file that needs nothing else, neither network nor fonts."""

from __future__ import annotations

import dataclasses
import html
import os
from collections.abc import Iterable
from pathlib import Path

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --paper: #fff; --faint: #6a737d; --line: #d8dee4; --good: #1a7f37; --bad: #b42318;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #14181d; --faint: #9aa4ae; --line: #30363d; --good: #56d364; --bad: #ff7b72 }
}
body {
  font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
}
h1 { font-size: 1.7rem; margin-bottom: 0 } h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem }
.lead, figcaption { color: var(--faint) }
.figure { display: inline-block; max-width: 100%; margin: .4rem 1rem .4rem 0; vertical-align: top }
.section > img, .figure svg { max-width: 100%; height: auto; overflow: visible }
table { border-collapse: collapse; margin: .8rem 0 }
th, td { text-align: left; padding: .25rem 1.1rem .25rem 0; border-bottom: 1px solid var(--line) }
td:last-child { font-variant-numeric: tabular-nums }
.good { color: var(--good) } .bad { color: var(--bad) }
pre {
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: 14px; line-height: 1.45;
  padding: .7rem; border: 1px solid var(--line); border-radius: 8px;
}
@media (max-width: 500px) { pre { font-size: 12px } }
"""


@dataclasses.dataclass
class Section:
    """A heading, text, facts as (name, value), and ready-made HTML below."""

    title: str
    text: str = ""
    facts: Iterable[tuple[str, str]] = ()
    parts: Iterable[str] = ()

    def html(self) -> str:
        """Return the section; text and facts are escaped, parts are not."""
        rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in self.facts)
        table = f"<table>{rows}</table>" if rows else ""
        text = f"<p>{html.escape(self.text)}</p>" if self.text else ""
        body = "\n".join(self.parts)
        return f'<section class="section">\n<h2>{html.escape(self.title)}</h2>\n{text}{table}\n{body}\n</section>'


def write(path: str | os.PathLike[str], title: str, lead: str, sections: Iterable[Section]) -> Path:
    """Write the page and return where it is."""
    out = Path(path)
    body = "\n".join(section.html() for section in sections)
    head, lead = html.escape(title), html.escape(lead)
    out.write_text(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{head}</title>\n'
        f'<style>{STYLE}</style></head>\n<body>\n<h1>{head}</h1>\n<p class="lead">{lead}</p>\n{body}\n</body></html>\n',
        encoding="utf-8",
    )
    return out.resolve()
