"""Tables for docs/performance.md from what pytest-benchmark wrote.

``python tests/benchmarks/report.py benchmark.json [docs/performance.md]`` prints them, or puts
them between the marks in a document.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import groupby
from pathlib import Path


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def rate(faces: int, seconds: float) -> str:
    per_second = faces / seconds
    return f"{per_second:,.0f}" if per_second > 100 else f"{per_second:.2f}"


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
            name = row["name"].removeprefix("test_").replace("_", " ").replace("[", ": ")
            faces, gmacs = (row["extra_info"].get(key) for key in ("faces", "gmacs"))
            cells = [
                name.rstrip("]"),
                milliseconds(median),
                f"{median / best:.2f}",
                rate(faces, median) if faces else "",
                f"{gmacs / median:.0f}" if gmacs else "",
            ]
            lines.append("| " + " | ".join(cells) + " |")
        for row in rows:
            for what, value in row["extra_info"].items():
                if what not in ("faces", "gmacs"):
                    lines += ["", f"{row['name'].removeprefix('test_')}: {value:.3f} {what}."]
    return "\n".join(lines) + "\n"


def put(document: Path, name: str, made: str) -> None:
    """Put text between a document's marks of this name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = document.read_text()
    pattern = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{document} has no {begin} ... {end}")
    document.write_text(pattern.sub(lambda _: f"{begin}\n{made}{end}", text))


def main(source: Path, document: Path | None) -> None:
    made = tables(json.loads(source.read_text()))
    if document is None:
        sys.stdout.write(made)
    else:
        put(document, "measured", made)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]), *[None] * (3 - len(sys.argv)))
