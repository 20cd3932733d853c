"""From a revision to what is wanted in a cluster: fetch, export, render, place, mask, digest."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from decklog.events.v1 import fleet_pb2, subject_pb2
from decklog.model import errors, fleet, manifest, masking, objects
from decklog.ports import cluster, mirror
from decklog.runtime import names, telemetry
from services.reconcile.core import desired, sayings
from services.reconcile.render import answer, failure, limits

Render = Callable[[Path, str, str], Awaitable[answer.Rendered]]
"""Renders (tree, path, kind)."""

_KINDS = {
    fleet_pb2.RENDERER_UNSPECIFIED: "auto",
    fleet_pb2.RENDERER_PLAIN: "plain",
    fleet_pb2.RENDERER_KUSTOMIZE: "kustomize",
}


_EXPORTED = mirror.ExportLimits(file_bytes=limits.RenderLimits().file)
"""No file is exported that a render would refuse."""


class Unrenderable(errors.Refused):
    """There is nothing wanted that could be compared; `failure` says why, as it is recorded.

    `lasting`: the commit alone is to blame, so that the same is refused for ever.
    """

    def __init__(self, reason: subject_pb2.Failure, *, lasting: bool = False) -> None:
        super().__init__(reason.message, where=reason.file, hint=reason.hint)
        self.failure = reason
        self.lasting = lasting


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a revision means for one application in one cluster.

    Attributes:
        members: the desired set; `ignored` was rendered and is to be left alone.
        digest: names the desired state.
        redactor: keeps its secrets out of text.
    """

    members: Mapping[objects.ObjectKey, desired.DesiredObject]
    ignored: tuple[objects.ObjectKey, ...]
    digest: str
    render: sayings.Render
    redactor: masking.Redactor

    @property
    def revision(self) -> subject_pb2.Revision:
        """What was rendered."""
        return self.render.revision


class Workshop:
    """Renders for all applications of this member."""

    def __init__(self, mirrors: mirror.Mirrors, render: Render, mask: masking.Masking, *, scratch: Path) -> None:
        """`scratch`: a folder of our own for exported trees."""
        self._mirrors = mirrors
        self._render = render
        self._mask = mask
        self._scratch = scratch
        self._open: dict[tuple[str, str, str], mirror.Mirror] = {}
        self._opening = asyncio.Lock()

    async def prepare(
        self,
        declared: fleet.Fleet,
        application: str,
        spec: fleet_pb2.ApplicationSpec,
        revision: subject_pb2.Revision,
        port: cluster.Cluster,
    ) -> Wanted:
        """What the revision wants. Raises `Unrenderable` for bad input, `Transient` for bad weather."""
        attributes = {names.APPLICATION: application, names.SOURCE: spec.source, names.COMMIT: revision.commit}
        with telemetry.span(names.SPAN_RENDER, attributes=attributes):
            rendered, inputs = await self._rendered(declared, spec, revision)
            owner = desired.Owner(declared.installation, application)
            wanted = await self._placed(rendered, spec, owner, port)
        return Wanted(
            members=wanted.members,
            ignored=wanted.ignored,
            digest=sayings.desired_digest(wanted.members),
            render=sayings.Render(
                revision=revision,
                renderer=rendered.renderer,
                renderer_version=rendered.version,
                inputs=inputs,
                warnings=rendered.warnings,
            ),
            redactor=self._mask.redactor(one.body for one in wanted.members.values()),
        )

    async def close(self) -> None:
        """Let go of the mirrors."""
        for one in self._open.values():
            await one.close()

    async def _rendered(
        self, declared: fleet.Fleet, spec: fleet_pb2.ApplicationSpec, revision: subject_pb2.Revision
    ) -> tuple[answer.Rendered, Mapping[str, str]]:
        try:
            repository = await self._mirror(declared, spec.source)
            await repository.ensure(revision.commit, ref=revision.ref)
            with tempfile.TemporaryDirectory(dir=self._scratch, prefix="tree-") as folder:
                await repository.export(revision.commit, Path(folder), _EXPORTED)
                rendered = await self._render(Path(folder), spec.path, _KINDS[spec.renderer])
            return rendered, await repository.object_ids(revision.commit, rendered.input_paths)
        except mirror.Unusable as error:
            raise Unrenderable(mirror.failure_of(error)) from error
        except failure.RenderFailure as error:
            if error.transient:
                raise errors.Transient(error.problem, where=error.where, hint=error.hint) from error
            raise Unrenderable(_of_render(error), lasting=True) from error

    async def _mirror(self, declared: fleet.Fleet, source: str) -> mirror.Mirror:
        spec = declared.source(source)
        if spec is None:
            hint = "declare it, or correct the application's source"
            raise Unrenderable(sayings.failure("UndeclaredSource", f"source {source} is not declared", hint))
        place = (source, spec.url, spec.credentials)
        async with self._opening:  # two applications of one source may ask at once; the second would find it busy
            if place not in self._open:
                for stale in [known for known in self._open if known[0] == source]:
                    await self._open.pop(stale).close()
                self._open[place] = await self._mirrors.open(source, spec.url, credentials=spec.credentials)
            return self._open[place]

    async def _placed(
        self, rendered: answer.Rendered, spec: fleet_pb2.ApplicationSpec, owner: desired.Owner, port: cluster.Cluster
    ) -> desired.DesiredSet:
        try:
            return desired.build(
                rendered.manifests,
                scopes=await _scopes(port, rendered.manifests),
                default_namespace=spec.dest_namespace or "default",
                owner=owner,
                mask=self._mask,
            )
        except desired.DesiredError as error:
            raise Unrenderable(_of_problems(error.problems)) from error


async def _scopes(port: cluster.Cluster, manifests: Collection[manifest.Manifest]) -> dict[objects.Gvk, bool]:
    """The kinds served. Asked again if one of ours is not among those remembered: it may have come since."""
    known = await port.resources()
    if any(objects.gvk(one.object) not in known for one in manifests):
        known = await port.resources(refresh=True)
    return {gvk: resource.namespaced for gvk, resource in known.items()}


def _of_render(error: failure.RenderFailure) -> subject_pb2.Failure:
    return sayings.failure(error.reason, error.problem, error.hint, file=error.file, line=error.line)


def _of_problems(problems: tuple[desired.Problem, ...]) -> subject_pb2.Failure:
    """The first problem, and how many more there are; each line names file and line."""
    first = sayings.failure_of_problem(problems[0])
    first.message = "\n".join(map(str, problems)) if len(problems) > 1 else problems[0].message
    return first
