"""Tables for performance-notes.md from what pytest-benchmark wrote.

``python tests/benchmarks/report.py benchmark.json [performance-notes.md]`` prints them, or puts
them between the marks in a document.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from documents import put


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def rate(faces: int, seconds: float) -> str:
    per_second = faces / seconds
    return f"{per_second:,.0f}" if per_second > 100 else f"{per_second:.2f}"


def table_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def tables(content: dict) -> str:
    machine = content["machine_info"]
    cpu = machine.get("cpu", {})
    processor = cpu.get("brand_raw", machine["processor"])
    system = f"{machine['system']}, Python {machine['python_version']}"
    lines = [f"{processor}, {cpu.get('count', '?')} cores, {system}."]
    ordered = sorted(content["benchmarks"], key=lambda b: b["group"] or "")
    for group, benchmarks in groupby(ordered, key=lambda b: b["group"]):
        rows = sorted(benchmarks, key=lambda b: b["stats"]["median"])
        best = rows[0]["stats"]["median"]
        lines += ["", f"### {group}", ""]
        lines += ["| what | median | to the first | faces/s | GMAC/s |", "|:--|--:|--:|--:|--:|"]
        for row in rows:
            median = row["stats"]["median"]
            name = (
                row["name"].removeprefix("test_").replace("_", " ").replace("[", ": ").rstrip("]")
            )
            faces, gmacs = (row["extra_info"].get(key) for key in ("faces", "gmacs"))
            per_second = rate(faces, median) if faces else ""
            speed = f"{gmacs / median:.0f}" if gmacs else ""
            cells = (name, milliseconds(median), f"{median / best:.2f}", per_second, speed)
            lines.append(table_row(cells))
        for row in rows:
            for what, value in row["extra_info"].items():
                if what not in ("faces", "gmacs"):
                    lines += ["", f"{row['name'].removeprefix('test_')}: {value:.3f} {what}."]
    return "\n".join(lines) + "\n"


def main(source: Path, document: Path | None) -> None:
    text = tables(json.loads(source.read_text()))
    if document is None:
        sys.stdout.write(text)
    else:
        put(document, "measured", text)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]), *[None] * (3 - len(sys.argv)))
