"""Why a render failed, in the form in which it is recorded."""

from decklog.model import errors


class RenderFailure(errors.Refused):
    """The tree cannot be rendered as it is.

    Attributes:
        reason: a stable word in CamelCase.
        file: relative to the tree's root; empty where none is to blame.
        line: from 1; 0 where unknown.
        transient: whether the same tree may render the next time: the renderer was killed, not the tree refused.
        secrets: values that may stand in the message: redact them before it is shown. Never recorded.
    """

    def __init__(
        self, reason: str, problem: str, *, file: str = "", line: int = 0, hint: str = "", transient: bool = False
    ) -> None:
        super().__init__(problem, where=f"{file}:{line}" if line else file, hint=hint)
        self.reason = reason
        self.file = file
        self.line = line
        self.transient = transient
        self.secrets: frozenset[bytes] = frozenset()
