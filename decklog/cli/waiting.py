"""`--wait recorded|synced|healthy`: follow a command until what was asked for came true, or did not."""

from typing import Annotated

import typer

from decklog.cli import choices, moments
from decklog.client import answers, api

DEFAULT = "5m"

Option = Annotated[
    choices.Wait | None,
    typer.Option("--wait", help="Return only when this came true: recorded, synced or healthy.", show_default=False),
]
Timeout = Annotated[str, typer.Option(help="How long --wait waits.", metavar="DURATION")]


def seconds(text: str) -> float:
    """The length of a timeout. Raises BadParameter."""
    try:
        return moments.duration_us(text) / moments.SECOND
    except moments.NotAMoment as error:
        raise typer.BadParameter(str(error), param_hint="--timeout") from error


def wait(server: api.Caller, name: str, accepted: answers.Accepted, until: choices.Wait | None, limit: float) -> None:
    """Return when what was asked for came true. Raises Failed, TimedOut."""
    raise NotImplementedError
