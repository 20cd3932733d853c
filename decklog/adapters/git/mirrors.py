"""The mirrors of a service: one locked folder per source below its state folder."""

import asyncio
import re
from pathlib import Path

from decklog.adapters.git import command, location, mirror, storage
from decklog.adapters.git import credentials as credential_folders
from decklog.ports import mirror as port

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class GitMirrors:
    """`mirror.Mirrors` below a folder that belongs to this process alone."""

    def __init__(
        self, root: Path, *, credentials_folder: Path | None = None, limits: mirror.Limits | None = None
    ) -> None:
        self._root = root
        self._credentials = credentials_folder
        self._limits = limits or mirror.Limits()

    async def open(self, name: str, url: str, *, credentials: str = "") -> port.Mirror:
        """See `mirror.Mirrors.open`."""
        if not _NAME.fullmatch(name):
            raise port.Unusable(
                port.Reason.INVALID_URL, f"{name!r} cannot be the name of a mirror", hint="Use a DNS label"
            )
        return await asyncio.to_thread(self._open, name, location.check(url), credentials)

    def _open(self, name: str, url: str, reference: str) -> port.Mirror:
        access = credential_folders.find(reference, self._credentials)
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        configuration = self._root / "gitconfig"
        configuration.write_text(command.CONFIGURATION)
        place = storage.MirrorFolder(self._root, name, url)
        place.clean()
        git = command.Git(
            configuration=configuration, where=f"source {name}", address=url, options=access.options, ssh=access.ssh
        )
        return mirror.GitMirror(git, url, place, self._limits)
