"""What a push to a demo repository does: ask ingest to look at that source now (`python -m … STATE SOURCE`)."""

import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from deploy.local import envfile, folder

SECONDS = 3


def main(state: folder.Folder, source: str) -> None:
    """Ask, and say in the push's output what came of it."""
    try:
        ops = envfile.parse(state.env.read_text())["DECKLOG_INGEST_OPS"]
        _ask(ops, state.token.read_text().strip(), source)
    except (OSError, KeyError, urllib.error.HTTPError) as error:
        print(f"decklog: ingest was not reached ({error}); it sees this push at its next poll", file=sys.stderr)
    else:
        print(f"decklog: ingest looks at {source} now", file=sys.stderr)


def _ask(ops: str, token: str, source: str) -> None:
    url = f"{ops}/trigger?source={urllib.parse.quote(source)}"
    request = urllib.request.Request(url, method="POST", headers={"Authorization": f"Bearer {token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=SECONDS):
        pass


if __name__ == "__main__":
    main(folder.Folder(Path(sys.argv[1])), sys.argv[2])
