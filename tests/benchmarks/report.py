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

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


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
                f"{1e3 * median:,.3g} ms" if median < 1 else f"{median:.3g} s",
                f"{median / best:.2f}",
                f"{faces / median:,.0f}" if faces and faces / median > 100
                else f"{faces / median:.2f}" if faces else "",
                f"{gmacs / median:.0f}" if gmacs else "",
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
        for row in rows:
            for what, value in row["extra_info"].items():
                if what not in ("faces", "gmacs"):
                    lines += ["", f"{row['name'].removeprefix('test_')}: {value:.3f} {what}."]
    return "\n".join(lines) + "\n"


def main(source: Path, document: Path | None) -> None:
    made = tables(json.loads(source.read_text()))
    if document is None:
        sys.stdout.write(made)
        return
    text = document.read_text()
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{document} has no {BEGIN} ... {END}")
    document.write_text(pattern.sub(lambda _: f"{BEGIN}\n{made}{END}", text))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]), *[None] * (3 - len(sys.argv)))
