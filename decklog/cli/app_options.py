"""The options by which `app create` and `app set` say what a declaration says, and how its documents spell them.

None: it was not named. An empty word stands for what holds where nothing is said.
"""

from typing import Annotated

import typer

from decklog.cli import choices, moments, named

_PATH = typer.Option(
    help="Folder of the manifests within the repository.", metavar="DIR", show_default=False, callback=named.folder
)
Path = Annotated[str, _PATH]
OtherPath = Annotated[str | None, _PATH]
Mode = Annotated[
    choices.Mode | None,
    typer.Option(help="What is done about a difference; a new application has 'detect'.", show_default=False),
]
Ref = Annotated[
    str | None,
    typer.Option(help="Branch, or full ref; '' means the default branch.", show_default=False, metavar="REF"),
]
DestNamespace = Annotated[
    str | None,
    typer.Option(
        help="Namespace for objects that name none; '' means none.",
        metavar="NAMESPACE",
        show_default=False,
        callback=named.new_optional,
    ),
]
Conflicts = Annotated[
    choices.Conflicts | None,
    typer.Option(help="Fields that others own: taken and recorded ('force'), or a failure.", show_default=False),
]
OnDelete = Annotated[
    choices.OnDelete | None,
    typer.Option(help="What becomes of the objects when the declaration goes.", show_default=False),
]
HealthTimeout = Annotated[
    str | None,
    typer.Option(
        help="How long it may be 'progressing' or 'missing', such as 5m; '' means the usual time.",
        metavar="DURATION",
        show_default=False,
    ),
]
Owner = Annotated[
    str | None, typer.Option(help="Who to ask about it; '' means nobody.", show_default=False, metavar="NAME")
]
Reason = Annotated[str, typer.Option(help="Why, in your words; it is recorded.", callback=named.reason, metavar="TEXT")]


def camel(name: str) -> str:
    """A flag's name as a document spells it: `dest_namespace` → `destNamespace`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def whole_seconds(text: str | None) -> int:
    """The seconds of a health timeout; 0 where none is given. Raises BadParameter."""
    if not text:
        return 0
    try:
        seconds = moments.duration_us(text) // moments.SECOND
    except moments.NotAMoment as error:
        raise typer.BadParameter(str(error), param_hint="--health-timeout") from error
    if not 0 < seconds < 2**31:
        raise typer.BadParameter(
            f"{text!r} is too {'long' if seconds else 'short'}; write 1s or more, such as 5m",
            param_hint="--health-timeout",
        )
    return seconds
