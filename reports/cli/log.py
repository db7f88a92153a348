"""``alignbench log``: runs in the tools with which people track experiments."""

from __future__ import annotations

import typer

from alignbench import plugins
from alignbench.cli.mount import SETTINGS, PluginGroup


class _Trackers(PluginGroup):
    entries = plugins.TRACKERS


LOG = typer.Typer(
    cls=_Trackers, rich_markup_mode=None, add_completion=False, context_settings=SETTINGS
)


@LOG.callback()
def log() -> None:
    """Log runs to a tool that tracks experiments.

    `alignbench log TOOL --help` shows the options of a tool.

    For example:
      alignbench log mlflow runs/synthetic
      alignbench log trackio runs/synthetic
    """
