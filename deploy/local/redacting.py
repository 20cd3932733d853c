"""What the API server's log may hold. Pure.

Asked to apply what does not fit an object's schema, it answers 500 and logs the answer, which quotes the values that do
not fit, also those of a Secret (structured-merge-diff, `typed/validate.go`; apiserver,
`endpoints/handlers/responsewriters/status.go`). Whoever asked has that answer; the log keeps that there was one.
"""

import re

_ANSWER = re.compile(rb"[IWEF]\d{4} [\d:.]+ +\d+ status\.go:\d+\] ")
"""The head of a line of klog, from the place that logs answers which are no `metav1.Status`."""

CUT = b"(an answer of status 500; it may quote a Secret, so only who asked has it)\n"


class Redactor:
    """Line by line: a line that is cut takes along those that continue it, as klog writes a text of several lines."""

    def __init__(self) -> None:
        self._cutting = False

    def keep(self, line: bytes) -> bytes:
        """What of a line is kept; nothing of one that continues a cut one."""
        if self._cutting and line.startswith((b"\t", b" ")):
            return b""
        head = _ANSWER.match(line)
        self._cutting = head is not None
        return line if head is None else head[0] + CUT
