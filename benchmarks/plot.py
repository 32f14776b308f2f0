"""The table of docs/performance.md that compares servers, as a picture: python -m benchmarks.plot.

Writes docs/performance.svg: one bar a server and database, stored spans a second on a logarithmic axis.
"""

import math
from html import escape

from tests.servers import ROOT

PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "performance.svg"
HEADING = "| server | database |"
LABEL_WIDTH, BAR_WIDTH, ROW_HEIGHT = 230, 420, 30
OURS, OTHERS = "#0b6e4f", "#9aa5b1"


def rows() -> list[tuple[str, str, float]]:
    """Server, database and stored spans a second, in the order of the table."""
    lines = PAGE.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(HEADING))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        found.append((cells[0], cells[1], float(cells[5].replace(",", ""))))
    return found


def picture(table: list[tuple[str, str, float]]) -> str:
    decades = math.ceil(math.log10(max(rate for _, _, rate in table)))
    height = ROW_HEIGHT * len(table) + 50
    width = LABEL_WIDTH + BAR_WIDTH + 80
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"',
        'font-size="13">',
        "<title>Stored spans per second, logarithmic</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for decade in range(decades + 1):
        x = LABEL_WIDTH + BAR_WIDTH * decade / decades
        parts.append(f'<line x1="{x:.0f}" y1="10" x2="{x:.0f}" y2="{height - 40}" stroke="#e4e7eb"/>')
        parts.append(f'<text x="{x:.0f}" y="{height - 24}" text-anchor="middle" fill="#52606d">{10**decade:,}</text>')
    for number, (server, database, rate) in enumerate(table):
        y = 12 + ROW_HEIGHT * number
        length = BAR_WIDTH * math.log10(max(rate, 1)) / decades
        colour = OURS if server == "this platform" else OTHERS
        parts.append(
            f'<text x="{LABEL_WIDTH - 10}" y="{y + 16}" text-anchor="end">{escape(f"{server}, {database}")}</text>'
        )
        parts.append(f'<rect x="{LABEL_WIDTH}" y="{y}" width="{length:.0f}" height="22" fill="{colour}"/>')
        parts.append(f'<text x="{LABEL_WIDTH + length + 6:.0f}" y="{y + 16}">{rate:,.0f}</text>')
    middle = LABEL_WIDTH + BAR_WIDTH / 2
    parts.append(f'<text x="{middle:.0f}" y="{height - 6}" text-anchor="middle">stored spans a second</text></svg>')
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(rows()))
