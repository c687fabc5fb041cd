"""Writes docs/reference/commands.md from the commands themselves.

`python -m cortexd.ctl.reference` prints the page. A test holds the checked-in one against it.
"""

import sys
from collections.abc import Iterator
from importlib import metadata

import click

_HEAD = """\
# Commands

<!-- Written by `python -m cortexd.ctl.reference`; do not edit by hand. -->

What `--help` says of each of them.
"""


def page() -> str:
    """The whole reference, in Markdown."""
    installed = metadata.distribution("cortexd").entry_points
    names = sorted(each.name for each in installed if each.group == "console_scripts")
    commands = [(name, installed[name].load()) for name in names]
    lines = [line for name, command in commands for line in _sections(command, name, None)]
    return "\n".join([_HEAD, *lines]).rstrip() + "\n"


def _sections(command: click.Command, name: str, within: click.Context | None) -> Iterator[str]:
    settings = {**command.context_settings, "terminal_width": 90}
    context = click.Context(command, info_name=name, parent=within, **settings)
    yield f"## {context.command_path}\n"
    yield f"```text\n{command.get_help(context).rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            inner = command.get_command(context, child)
            if inner is not None:
                yield from _sections(inner, child, context)


if __name__ == "__main__":
    sys.stdout.write(page())
