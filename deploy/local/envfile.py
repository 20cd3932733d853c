"""The file that a shell sources to talk to the stack."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from deploy.local import errors, folder


def render(values: Mapping[str, str], path_first: Path) -> str:
    """Export lines; PATH gets `path_first` in front of what the shell has."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    lines.append(f'export PATH={shlex.quote(str(path_first))}{os.pathsep}"$PATH"')
    return "# The running Decklog stack, for your shell:  . <this file>\n" + "\n".join(lines) + "\n"


def parse(text: str) -> dict[str, str]:
    """The values of a file that `render` wrote, without PATH."""
    values = {}
    for line in text.splitlines():
        name, separator, value = line.removeprefix("export ").partition("=")
        if separator and not line.startswith("#") and name != "PATH":
            values[name] = "".join(shlex.split(value))
    return values


def added(path: Path) -> dict[str, str]:
    """The DECKLOG_* that a user wrote into `path`, one `NAME=value` a line, as a shell reads it; none without the file.

    Raises StackError that names the first line that is something else.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else (), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise errors.StackError(f"{path}, line {number}: {error}") from error
        found = [word.partition("=") for word in words[words[:1] == ["export"] :]]
        if not all(name.startswith("DECKLOG_") and separator for name, separator, _ in found):
            raise errors.StackError(f"{path}, line {number}: write DECKLOG_NAME=value, with quotes around spaces")
        values |= {name: value for name, _, value in found}
    return values


def write(path: Path, values: Mapping[str, str], path_first: Path) -> None:
    """Write the file (0600: it may hold a database password)."""
    folder.write_atomically(path, render(values, path_first))
