"""What a service's log looks like where a library is talkative. Run in a process of its own: logging is global."""

import subprocess
import sys

SAYS = """
import logging
from decklog.runtime import logs
logs.configure("audit")
for name in ("opentelemetry.sdk._shared_internal", "services.audit"):
    try:
        raise ConnectionError("port 9 refused")
    except ConnectionError:
        logging.getLogger(name).exception("Exception while exporting %s.", "Span")
"""


def test_traces_that_nobody_takes_are_one_line_without_frames() -> None:
    """Zipkin starts last, or is not there: a hundred frames every 30 seconds hide what matters. Ours keep theirs."""
    done = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, text=True, check=True)
    exporter, ours = done.stderr.splitlines()
    assert '"event": "Exception while exporting Span. port 9 refused"' in exporter
    assert "Traceback" not in exporter
    assert "Traceback" in ours
