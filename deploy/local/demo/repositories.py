"""Makes the demo's repositories: a bare one that services follow and a clone to work in, for each."""

import os
import secrets
import shutil
import string
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local import context, errors

TEMPLATES = Path(__file__).parent
NAMES = ("fleet", "infrastructure")
APPLICATIONS = "applications.yaml"

HOOK = """\
#!/bin/sh
# Tells Decklog at once that something was pushed. A push never fails because of it.
exec {python} -m deploy.local.demo.trigger {state} {source}
"""

ISOLATED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
IDENTITY = ("-c", "user.name=Decklog demo", "-c", "user.email=demo@decklog.invalid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Where the demo is made and what it is told."""

    state: Path
    cluster: str
    context: str
    applications: bool

    @property
    def home(self) -> Path:
        """The folder of the clones (`fleet`) and the bare repositories (`fleet.git`)."""
        return self.state / "demo"


def make(demo: Demo) -> Path:
    """Make both repositories unless they are there; returns the bare fleet repository.

    One that was made without applications gets them once they are asked for; who removed them has them removed.

    Raises StackError when git fails.
    """
    if not demo.home.exists():
        part = demo.home.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        values = {
            "cluster": demo.cluster,
            "context": demo.context,
            "infrastructure": str(demo.home / "infrastructure.git"),
            "password": secrets.token_urlsafe(18),
        }
        for name in NAMES:
            _make_one(demo, part, name, values)
        part.rename(demo.home)
    elif demo.applications:
        _add_applications(demo)
    return demo.home / "fleet.git"


def _add_applications(demo: Demo) -> None:
    clone = demo.home / "fleet"
    if _git(clone, "log", "--format=%H", "--max-count=1", "--", APPLICATIONS):
        return
    template = string.Template((TEMPLATES / "fleet" / APPLICATIONS).read_text())
    (clone / APPLICATIONS).write_text(template.substitute({"cluster": demo.cluster}))
    _git(clone, "add", APPLICATIONS)
    _git(clone, *IDENTITY, "commit", "--quiet", "--only", "--message", "Declare the demo's applications", APPLICATIONS)
    _git(clone, "push", "--quiet", "origin", "HEAD:main")


def _make_one(demo: Demo, part: Path, name: str, values: Mapping[str, str]) -> None:
    clone, bare = part / name, part / f"{name}.git"
    for template in sorted(path for path in (TEMPLATES / name).rglob("*") if path.is_file()):
        if template.name == APPLICATIONS and not demo.applications:
            continue
        target = clone / template.relative_to(TEMPLATES / name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(string.Template(template.read_text()).substitute(values))
    _git(clone, "init", "--quiet", "--initial-branch=main")
    _git(clone, "add", ".")
    _git(clone, *IDENTITY, "commit", "--quiet", "--message", f"Start the {name} repository of the demo")
    _git(part, "clone", "--quiet", "--bare", str(clone), str(bare))
    _git(clone, "remote", "add", "origin", str(bare))
    _git(clone, "push", "--quiet", "--set-upstream", "origin", "main")
    _git(clone, "remote", "set-url", "origin", str(demo.home / bare.name))
    _name_committer(clone)
    _hook(demo, bare, name)


def _hook(demo: Demo, bare: Path, name: str) -> None:
    hook = bare / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    quoted = {"python": str(context.venv_bin() / "python"), "state": str(demo.state), "source": name}
    hook.write_text(HOOK.format(**{key: _quoted(value) for key, value in quoted.items()}))
    hook.chmod(0o755)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _name_committer(clone: Path) -> None:
    """Where Git knows nobody, commits in the clone are the demo's; otherwise they are the user's own."""
    known = subprocess.run(["git", "config", "user.email"], cwd=clone, capture_output=True, check=False)
    if known.returncode != 0:
        _git(clone, "config", "user.name", "Decklog demo")
        _git(clone, "config", "user.email", "demo@decklog.invalid")


def _git(folder: Path, *arguments: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=inherited | ISOLATED, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise errors.StackError(f"making the demo: `git {arguments[0]}` in {folder} failed: {done.stderr.strip()}")
    return done.stdout
