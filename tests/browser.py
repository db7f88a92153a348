"""A headless Chromium for tests of pages; a test that asks for it is skipped where none is."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service


@contextmanager
def chromium() -> Iterator[Chrome]:
    """A Chromium that cannot reach any network, with its console kept."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no chromium and chromedriver here (Debian: chromium, chromium-driver)")
    with tempfile.TemporaryDirectory() as profile:
        options = ChromeOptions()
        options.binary_location = program
        for argument in (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--proxy-server=127.0.0.1:9", f"--user-data-dir={profile}",
        ):  # fmt: skip
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = Chrome(options, Service(driver))
        try:
            yield browser
        finally:
            browser.quit()


def resize(browser: Chrome, width: int, height: int = 900) -> None:
    """Show the page as wide as a phone or a desk has it; windows have a least width."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def use_colours(browser: Chrome, scheme: str) -> None:
    """Show pages as for a person who prefers ``light`` or ``dark``."""
    preference = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})


def requests(browser: Chrome) -> list[str]:
    """Addresses that the page asked for, itself excepted."""
    script = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    return [name for name in browser.execute_script(script) if not name.startswith("data:")]


def too_wide(browser: Chrome) -> list[str]:
    """Elements that reach beyond the window and are in no region that scrolls."""
    return browser.execute_script(
        """
        const width = document.documentElement.clientWidth;
        return [...document.body.querySelectorAll("*")]
          .filter((one) => !one.parentElement.closest(".scroll, pre, svg"))
          .filter((one) => one.getBoundingClientRect().right > width + 1)
          .map((one) => one.outerHTML.slice(0, 200));
        """
    )


def barriers(browser: Chrome) -> list[str]:
    """What axe finds that hinders people with a screen reader, a keyboard or weak eyes.

    The test is skipped without axe: ``ALIGNBENCH_AXE`` names an ``axe.min.js``, or the package
    axe-core-python is installed.
    """
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": _axe()})
    browser.set_script_timeout(60)
    result = browser.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        const failed = (error) => done({ error: `${error}` });
        axe.run(document, { resultTypes: ["violations"] }).then(done, failed);
        """
    )
    assert "error" not in result, result
    return [
        f"{one['impact']} {one['id']}: {node['html'][:200]}"
        for one in result["violations"]
        for node in one["nodes"]
    ]


def _axe() -> str:
    named = os.environ.get("ALIGNBENCH_AXE")
    package = importlib.util.find_spec("axe_core_python")
    if named is None and (package is None or package.origin is None):
        pytest.skip("no axe here: install axe-core-python, or name axe.min.js in ALIGNBENCH_AXE")
    path = Path(named) if named else Path(package.origin).parent / "axe.min.js"
    return path.read_text(encoding="utf-8")
