"""What the words of a command line name, looked at before anything is sent: a wrong one is exit code 2."""

import re

import typer

from decklog.cli import moments
from decklog.cli.views import words
from decklog.client import api
from decklog.model import naming, objects

LONGEST_REASON = 1_000
SHORTEST_ID = 4
_COMMIT = re.compile(rf"[0-9a-f]{{{SHORTEST_ID},64}}")
_WORD = re.compile(r"[0-9A-Za-z-]+")
_ID = re.compile(rf"(?=(?:-?[0-9a-f]){{{SHORTEST_ID},32}}$)[0-9a-f-]{{1,36}}")


def new(text: str) -> str:
    """The name of something that is to be declared. Raises BadParameter."""
    if not naming.LABEL.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no valid name; use {naming.FORM}")
    return text


def new_optional(text: str | None) -> str | None:
    """The same for an option, which need not be given. Raises BadParameter."""
    return new(text) if text else text


def declared(text: str) -> str:
    """The name of something that is declared. With capitals it is let through: the answer tells the nearest name.

    Raises BadParameter.
    """
    if not naming.LABEL.fullmatch(text.lower()):
        raise typer.BadParameter(f"{text!r} can be the name of nothing; a name has {naming.FORM}")
    return text


def optional(text: str) -> str:
    """The same for an option, which need not be given. Raises BadParameter."""
    return declared(text) if text else text


def folder(text: str | None) -> str | None:
    """A folder within a repository; None where none was named. Raises BadParameter."""
    if text and ".." in text.split("/"):
        raise typer.BadParameter(f"{text!r} leads out of the repository; name a folder inside it")
    return text


def reason(text: str) -> str:
    """Why something is asked for. Raises BadParameter."""
    if len(text) > LONGEST_REASON:
        raise typer.BadParameter(f"it has {len(text)} characters; at most {LONGEST_REASON} are recorded")
    return text


def commit(text: str) -> str:
    """The id of a commit, or the beginning of one. Raises BadParameter."""
    if text and not _COMMIT.fullmatch(text.lower()):
        raise typer.BadParameter(
            f"{text!r} is no commit; write its id or at least {SHORTEST_ID} digits of it, as `git log` shows them "
            "(`git rev-parse` tells that of a branch or tag)"
        )
    return text.lower()


def event(text: str) -> str:
    """An event: the number of its leaf, its id, or the beginning of that. Raises BadParameter."""
    word = text.lower()
    is_leaf = word.isascii() and word.isdigit() and int(word) < api.LAST_LEAF
    if not (is_leaf or _ID.fullmatch(word)):
        raise typer.BadParameter(
            f"{text!r} is no event; write the number of its leaf, or at least {SHORTEST_ID} digits of its id "
            "(`decklog timeline` lists the leaves)"
        )
    return word


def episode(text: str) -> str:
    """An episode of drift: its id, or the beginning of that. Raises BadParameter."""
    if not _WORD.fullmatch(text):
        hint = "write the beginning of its id, as `decklog drift list --all` shows it"
        raise typer.BadParameter(f"{text!r} is no episode; {hint}")
    return text.lower()


def kubernetes_object(text: str) -> str:
    """The key of an object that is named as tables show it, or by its key; need not be given. Raises BadParameter."""
    if not text:
        return text
    try:
        return str(objects.ObjectKey.parse(words.object_key(text)))
    except ValueError:
        wanted = "write it as tables show it, 'Deployment.apps shop/web', or as apps/Deployment/shop/web"
        raise typer.BadParameter(f"{text!r} names no object; {wanted}") from None


def moment(option: str, text: str, now: moments.Now) -> int | moments.AtEvent:
    """A moment that is past, or the event that names one. Raises BadParameter."""
    try:
        found = moments.parse(text, now)
    except moments.NotAMoment as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
    return found if isinstance(found, moments.AtEvent) else _past(option, text, found, now)


def instant(option: str, text: str, now: moments.Now) -> int | None:
    """A moment that is past, where an event's id will not do; None if no text is given. Raises BadParameter."""
    try:
        return _past(option, text, moments.parse_instant(text, now), now) if text else None
    except moments.NotAMoment as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _past(option: str, text: str, found: int, now: moments.Now) -> int:
    if found > now.us + moments.SECOND:
        raise typer.BadParameter(f"{text!r} is yet to come; the record knows what was", param_hint=option)
    return found
