"""`decklog status`: is the record complete and up to date?"""

from decklog.cli import output, session
from decklog.cli.views import status as view
from decklog.client import api


def status(how: output.Option = output.Format.TABLE) -> None:
    """Say whether the record is up to date.

    How far the ledger and what is read from it are, and when each service last spoke.
    """
    with session.connect() as server:
        found = api.status(server)
    output.show(view.single(found, session.now()), how)
