"""What goes wrong with a local stack, as messages that say what happened, where, and what to do next."""


class StackError(Exception):
    """The stack cannot be started or used; the text is for the user."""


class Missing(StackError):
    """Tools are missing; the text names all of them at once with the ways out."""
