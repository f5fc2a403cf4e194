"""Markdown: tables, and the places in a file that a run fills in."""


def table(header, rows):
    """A markdown table; None is an empty cell, a number has three significant digits."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines) + "\n"


def cell(value):
    if value is None:
        return ""
    if isinstance(value, float):
        digits = next((digits for digits, limit in ((3, 0.9995), (2, 9.995), (1, 99.95)) if abs(value) < limit), 0)
        return f"{value:.{digits}f}" if abs(value) >= 0.0995 or value == 0 else f"{value:.2g}"
    return str(value)


def ratio(one, other):
    return None if one is None or other is None else one / other


def replace_between(path, marker, text):
    """Put `text` between the lines `<!-- marker -->` and `<!-- /marker -->` of a file; False if it has none."""
    begin, end = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    before, found, rest = path.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        return False
    path.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}", "utf-8")
    return True
