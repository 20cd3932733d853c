"""Fetching from Maven Central: with the machine's Maven, else with PyPI's jgo."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from xml.sax import saxutils

from deploy.local import context, errors, java, processes


def project(artifacts: Sequence[java.Artifact]) -> str:
    """A Maven project that depends on the artifacts and nothing else."""
    depends = "".join(_dependency(artifact) for artifact in artifacts)
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>dev.decklog</groupId><artifactId>local-stack</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{depends}</dependencies></project>\n"
    )


def _dependency(artifact: java.Artifact) -> str:
    fields = {"groupId": artifact.group, "artifactId": artifact.name, "version": artifact.version}
    if artifact.classifier:
        fields["classifier"] = artifact.classifier
    inner = "".join(f"<{name}>{saxutils.escape(value)}</{name}>" for name, value in fields.items())
    # A file taken by its classifier is whole in itself.
    alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    return f"<dependency>{inner}{alone if artifact.classifier else ''}</dependency>"


async def fetch(ctx: context.Context, tools: java.Java, artifacts: Sequence[java.Artifact], target: Path) -> None:
    """Put the artifacts' jars, with all they need at run time, flat into `target`."""
    if tools.maven is not None:
        await _with_maven(ctx, tools.maven, artifacts, target)
    elif tools.jgo is not None:
        await _with_jgo(ctx, tools, artifacts, target)
    else:
        raise errors.Missing("no Maven and no jgo to fetch jars with; install Maven, or allow PyPI")


async def _with_maven(ctx: context.Context, program: Path, artifacts: Sequence[java.Artifact], target: Path) -> None:
    (target / "pom.xml").write_text(project(artifacts))
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}")
    argv = (str(program), "-B", "-q", "--file", str(target / "pom.xml"), *goal)
    name = f"fetch-{artifacts[0].name}"
    log = ctx.state.log(name)
    await ctx.run(processes.Program(name=name, argv=argv, cwd=target, log=log, env=ctx.environment()))


async def _with_jgo(ctx: context.Context, tools: java.Java, artifacts: Sequence[java.Artifact], target: Path) -> None:
    """Several artifacts resolved by jgo together get mixed versions, so each is resolved alone."""
    resolved = target / "jgo"
    for artifact in artifacts:
        options = ("--ignore-config", "--cache-dir", str(resolved), "--links", "copy", "--quiet")
        argv = (str(tools.jgo), "-m", "jgo", *options, "info", "classpath", str(artifact))
        name = f"fetch-{artifact.name}"
        log = ctx.state.log(name)
        await ctx.run(processes.Program(name=name, argv=argv, cwd=target, log=log, env=tools.environment(ctx)))
    for jar in sorted(resolved.glob("envs/**/*.jar")):
        jar.replace(target / jar.name)
    shutil.rmtree(resolved)
