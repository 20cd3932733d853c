"""What can go wrong between a client and the server, sorted by what the caller should do about it."""

import re

from decklog.model import errors


class Misconfigured(errors.Terminal):
    """The settings do not say where the server is or who is asking; nothing was sent."""


class Unavailable(errors.Transient):
    """The server cannot be reached, or says that it cannot do this now. Nothing is half done: try again."""


class Unauthorised(errors.Refused):
    """The server does not know who is asking, or they may not do this."""


class Rejected(errors.Refused):
    """The server understood and said no: the input is wrong, or it conflicts with what is declared."""


class NotFound(errors.Refused):
    """There is no such thing."""


class TimedOut(errors.Transient):
    """What was waited for did not happen in time. What was asked for is recorded and goes on."""


class Failed(errors.Terminal):
    """What was asked for was tried, and ended badly."""


_NO_TLS = re.compile(r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE")
_FRAME = re.compile(r"\[(?:Errno -?\d+|SSL: \w+|SSL)\] | \(_ssl\.c:\d+\)")
"""What Python puts around the words of the system and of OpenSSL."""


def cause(error: Exception) -> str:
    """Why an address could not be asked, without numbers and places in the code of others."""
    text = str(error).strip() or type(error).__name__
    if _NO_TLS.search(text):
        return "what answers there does not speak TLS; is it http://?"
    return _FRAME.sub("", text).lower()
