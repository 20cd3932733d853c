"""Verifiers of other people, as tests use them: golang.org/x/mod/sumdb/{note,tlog}, and tlog-scales from PyPI.

Each takes a log's folder and its verifier key, and raises Refused with the reason where it finds something wrong.
"""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tlog_scales import backend, reader, signing, tiles, tlog

from deploy.local import cache, settings

SOURCES = Path(__file__).parent
LITEWITNESS = "filippo.io/torchwood/cmd/litewitness"


class Refused(Exception):
    """What a verifier says of a log that is not what was signed."""


def tlogcheck(folder: Path, vkey: str, proofs: Path | None = None) -> str:
    """Check a log with the Go program, and proofs of ours against it; its one line on success."""
    command = [str(built("tlogcheck") / "tlogcheck"), str(folder), vkey, *([] if proofs is None else [str(proofs)])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    if done.returncode != 0:
        raise Refused(done.stderr.strip())
    return done.stdout.strip()


def scales(folder: Path, vkey: str) -> str:
    """Check a log with tlog-scales: signature, root, and every entry against its leaf hash."""
    try:
        wrong, size = _scales(reader.TilesReader(backend.LocalBackend(folder)), vkey)
    except Exception as error:  # whatever it raises is its way to refuse
        raise Refused(repr(error)) from error
    if wrong:
        raise Refused(wrong)
    return f"{size} leaves"


def _scales(log: reader.TilesReader, vkey: str) -> tuple[str, int]:
    tree = log.get_checkpoint()
    tree.verify(signing.Vkey.from_string(vkey))
    if log.calculate_root_hash() != tree.root_hash:
        return "the tiles do not give the root", tree.size
    hashes = (tiles.leaf_hash(log.get_entry(index)) == log.mth(index, index + 1) for index in range(tree.size))
    wrong = next((index for index, right in enumerate(hashes) if not right), None)
    return ("" if wrong is None else f"entry {wrong} is not in the tree"), tree.size


def scales_inclusion(index: int, size: int, hashes: list[bytes], *, leaf: bytes, root: bytes) -> bool:
    """Whether tlog-scales accepts an inclusion proof."""
    try:
        tlog.InclusionProof(index, size, hashes).check(leaf, root)
    except tlog.InclusionProofInvalid:
        return False
    return True


def scales_consistency(old: int, new: int, hashes: list[bytes], *, old_root: bytes, new_root: bytes) -> bool:
    """Whether tlog-scales accepts a consistency proof."""
    try:
        tlog.ConsistencyProof(old, new, hashes).check(old_root, new_root)
    except tlog.ConsistencyProofInvalid:
        return False
    return True


def cosigned(checkpoint: Path, log: str, *witnesses: str) -> list[str]:
    """Who vouches for a checkpoint, checked with torchwood; Ed25519 keys, each of which must."""
    command = [str(built("witness", LITEWITNESS) / "witness"), str(checkpoint), log, *witnesses]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    if done.returncode != 0:
        raise Refused(done.stderr.strip())
    return done.stdout.split()


def built(name: str, *tools: str) -> Path:
    """The folder of a Go program of ours and of tools beside it, built once per machine and kept with other builds."""
    compiler = shutil.which("go")
    if compiler is None:
        pytest.skip("no Go on PATH: the checks with programs in Go are left out")
    release = subprocess.run([compiler, "version"], capture_output=True, check=True).stdout
    sources = [file.read_bytes() for file in sorted((SOURCES / name).iterdir())]
    root = settings.read(
        os.environ, root=SOURCES, home=Path.home(), profile=settings.Profile.TEST, state=SOURCES / "unused"
    ).cache

    async def fill(target: Path) -> None:
        command = [compiler, "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-o", f"{target}/", ".", *tools]
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
        await asyncio.to_thread(subprocess.run, command, cwd=SOURCES / name, env=environment, check=True, timeout=300)

    entry = f"{name}-{cache.key([release, *sources])}"
    return asyncio.run(cache.obtain(root, entry, fill, lambda: None))
