"""Commands that packages register, mounted lazily: only the one that is called is imported."""

from __future__ import annotations

import inspect
from functools import cache
from itertools import chain
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from alignbench import plugins
from alignbench.exceptions import InputError, blame, unknown

SETTINGS = {"help_option_names": ["-h", "--help"]}


class PluginGroup(TyperGroup):
    """A group whose commands are the entry points of the group ``entries``.

    A dot in the name of an entry point makes a sub-command. Without a command, help is shown.
    """

    entries = plugins.COMMANDS
    prefix = ""

    def list_commands(self, ctx: Any) -> list[str]:
        names = (
            name for name in plugins.entry_points(self.entries) if name.startswith(self.prefix)
        )
        return list(dict.fromkeys(name[len(self.prefix) :].partition(".")[0] for name in names))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            if ctx.resilient_parsing:
                return None
            kind = self.entries.rsplit(".", 1)[-1].rstrip("s")
            raise unknown(kind, cmd_name, self.list_commands(ctx))
        if self.prefix + cmd_name in plugins.entry_points(self.entries):
            return load_command(self.entries, self.prefix + cmd_name)
        inner = PluginGroup(name=cmd_name, rich_markup_mode=None, context_settings=SETTINGS)
        inner.entries, inner.prefix = self.entries, f"{self.prefix}{cmd_name}."
        commands = ", ".join(inner.list_commands(ctx))
        inner.help = inner.short_help = f"Commands about {cmd_name}: {commands}."
        return inner

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])


class _Command(TyperCommand):
    """A command of a function; where it has ``--format``, ``--json`` is short for that of JSON."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options = {option for param in self.params for option in param.opts}
        if "--format" in options and "--json" not in options:
            at = args.index("--") if "--" in args else len(args)
            words = [["--format", "json"] if word == "--json" else [word] for word in args[:at]]
            args = [*chain.from_iterable(words), *args[at:]]
        return super().parse_args(ctx, args)


def _set_quiet(is_asked: bool) -> None:
    from alignbench.progress import set_quiet

    set_quiet(is_asked)


def _only_quiet(
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", callback=_set_quiet, is_eager=True, expose_value=False,
            help="Show no progress and no remarks: results and errors only.",
        ),
    ] = False,
) -> None:  # fmt: skip
    """Do nothing. Every command takes the option of this one."""


@cache
def _quiet_option() -> Any:
    """The option ``--quiet``, as Typer itself makes it."""
    app = typer.Typer(add_completion=False)
    app.command()(_only_quiet)
    return next(param for param in get_command(app).params if "--quiet" in param.opts)


def load_command(group: str, name: str) -> Any:
    """The command that is registered under a name.

    A broken one is replaced by a command that says so when it is called, and in its help text.
    """
    try:
        value = plugins.load(group, name)
        with blame(f"{group.rsplit('.', 1)[-1].rstrip('s')} {name!r}"):
            return make_command(name.rpartition(".")[2], value)
    except InputError as error:
        return _make_broken_command(name.rpartition(".")[2], error)


def make_command(name: str, value: Any) -> Any:
    """A command out of a typed function, or of a ``typer.Typer`` that has commands of its own."""
    app = value
    if not isinstance(value, typer.Typer):
        app = typer.Typer(rich_markup_mode=None, add_completion=False)
        app.command(cls=_Command, context_settings=SETTINGS)(value)
    command = get_command(app)
    command.name = name
    if isinstance(command, _Command):
        command.params.append(_quiet_option())
    # Paragraphs with indented lines are examples, which must not be wrapped.
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(f"\b\n{one}" if "\n  " in one else one for one in paragraphs)
    return command


def _make_broken_command(name: str, error: InputError) -> Any:
    """A command that fails whatever it is called with."""

    def fail() -> None:
        raise error

    fail.__doc__ = f"(broken: {error})"
    command = make_command(name, fail)
    command.allow_extra_args = command.ignore_unknown_options = True
    return command
