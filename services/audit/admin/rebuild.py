"""`decklog admin rebuild`: the projections made again from leaf 0; `--check` only compares them with the live ones."""

import asyncio
import sys

import typer

from decklog.cli import stores
from decklog.model import printable
from services.audit.projector import rebuilding

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Rebuild the projections from leaf 0.")

EXIT_DIFFERS = 1


@app.callback(invoke_without_command=True)
def rebuild(
    postgres: stores.Postgres,
    check: bool = typer.Option(False, "--check", help="Change nothing: rebuild beside the live tables and compare."),
) -> None:
    """Rebuild the projections from leaf 0 and put them in place of the live ones, which are served meanwhile.

    With --check the exit code is 1 if a row differs, and the first differences are shown.
    """
    if not check:
        leaves = asyncio.run(rebuilding.rebuild(postgres, tell=_progress))
        typer.echo(f"rebuilt from {leaves} leaves; the live tables were replaced")
        return
    compared = asyncio.run(rebuilding.compare(postgres, tell=_progress))
    for difference in compared.differences:
        said = (
            f"{difference.table} {difference.key}",
            f"  live:    {difference.live}",
            f"  rebuilt: {difference.rebuilt}",
        )
        for line in said:
            typer.echo(printable.line(line))
    if not compared.equal:
        typer.echo(
            f"replay differs from live at {compared.leaves} leaves. Report it with these rows; "
            "`decklog admin rebuild` puts the rebuilt tables in place",
            err=True,
        )
        raise typer.Exit(EXIT_DIFFERS)
    typer.echo(f"replay equals live: {compared.rows} rows from {compared.leaves} leaves")


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{done} of {total} leaves", nl=done >= total, err=True)
