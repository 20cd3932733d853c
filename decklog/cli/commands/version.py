"""`decklog version`."""

import importlib.metadata
import platform

from decklog.cli import output, screen


def version(how: output.Option = output.Format.TABLE) -> None:
    """Say which version this is. Asks no server."""
    found = {"decklog": importlib.metadata.version("decklog"), "python": platform.python_version()}
    if how is output.Format.TABLE:
        screen.write(f"decklog {found['decklog']} (Python {found['python']})\n")
    else:
        output.show(output.Answer(value=found, names=[found["decklog"]], blocks=list), how)
