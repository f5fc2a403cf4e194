"""Content as HTML: a fragment for a notebook, and a page of one file, without network, in light and in dark."""

from __future__ import annotations

from html import escape

from .content import Content, Grid

# Colours are those of the notebook or page around; greys are half transparent, so they serve light and dark.
_STYLE = """
.fanin { font: 14px/1.5 system-ui, sans-serif; max-width: 60rem; }
.fanin p:first-of-type { font-weight: 600; }
.fanin .note { opacity: .75; }
.fanin .wide { overflow-x: auto; }
.fanin table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
.fanin caption { text-align: left; font-weight: 600; padding: .3em 0; }
.fanin th, .fanin td { text-align: left; vertical-align: top; padding: .2em .8em .2em 0;
  border-bottom: 1px solid rgba(128, 128, 128, .35); }
.fanin td { white-space: pre-line; }
.fanin .number { text-align: right; white-space: pre; }
.fanin .path { font-family: ui-monospace, monospace; }
.fanin svg { max-width: 100%; height: auto; }
""".strip()

_PAGE_STYLE = """
:root { color-scheme: light dark; }
body { margin: 2rem; color: #1a1a1a; background: #ffffff; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #151515; } }
""".strip()


def fragment(content: Content, picture: str = "") -> str:
    """Words, picture and tables, with their style: what a notebook shows.

    Args:
        picture: an SVG element.
    """
    parts = [f"<style>{_STYLE}</style>", *(f"<p>{escape(words)}</p>" for words in content.words)]
    if picture:
        parts.append(f'<div class="wide">{picture}</div>')
    parts += map(_table, content.grids)
    parts += [f'<p class="note">{escape(note)}</p>' for note in content.notes]
    return '<div class="fanin">' + "\n".join(parts) + "</div>"


def page(content: Content, picture: str = "") -> str:
    """The same as a document of its own."""
    title = escape(content.title)
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
            f'<meta name="viewport" content="width=device-width">\n<style>{_PAGE_STYLE}</style>\n</head>\n'
            f'<body>\n<h1>{title}</h1>\n{fragment(content, picture)}\n</body>\n</html>\n')


def _table(grid: Grid) -> str:
    kinds = [' class="number"' if column.number else ' class="path"' if column.path else ""
             for column in grid.columns]
    head = "".join(f"<th{kind}>{escape(column.name)}</th>" for kind, column in zip(kinds, grid.columns))
    body = "\n".join(f"<tr>{''.join(f'<td{kind}>{escape(cell)}</td>' for kind, cell in zip(kinds, row))}</tr>"
                     for row in grid.rows)
    caption = f"<caption>{escape(grid.title)}</caption>" if grid.title else ""
    return f'<div class="wide"><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'
