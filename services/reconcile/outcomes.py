"""What a sync says of each object: what became of it, or why nothing did."""

from decklog.events.v1 import apply_pb2, subject_pb2
from decklog.model import errors, objects
from services.reconcile import comparing, ordering, recording, rendering
from services.reconcile.core import claims, complaints, desired, inventory, managers, sayings, snapshot, sync


class Outcomes:
    """Words for the objects of one sync."""

    def __init__(
        self, chronicle: recording.Chronicle, view: comparing.View, wanted: rendering.Wanted, order: ordering.Order
    ) -> None:
        self._chronicle = chronicle
        self._view = view
        self._wanted = wanted
        self._order = order

    def applied(
        self,
        key: objects.ObjectKey,
        outcome: "apply_pb2.ObjectOutcome.ValueType",
        *,
        before: objects.KubeObject | None = None,
        after: objects.KubeObject | None = None,
        failure: subject_pb2.Failure | None = None,
        dry_run: bool = False,
    ) -> apply_pb2.ObjectApplied:
        """Something became of it: what it was before, and what it is now."""
        voice, mask = self._chronicle.voice, self._view.mask
        latest = after or before or {}
        version = objects.gvk(latest).version or self._version(key)
        overridden = managers.overridden(before, after) if before is not None and after is not None else ()
        return apply_pb2.ObjectApplied(
            application=voice.application,
            sync_id=self._order.sync_id,
            object=sayings.ref(key, version=version, uid=objects.uid(latest)),
            outcome=outcome,
            dry_run=dry_run,
            before_digest=snapshot.take(before, mask).digest if before is not None else "",
            after_digest=snapshot.take(after, mask).digest if after is not None else "",
            before_resource_version=objects.resource_version(before or {}),
            after_resource_version=objects.resource_version(after or {}),
            overridden=sayings.field_managers(overridden),
            failure=failure,
            fence=voice.fence,
            taken_over_from=self._former_holder(before, after),
        )

    def refused(self, key: objects.ObjectKey, reason: str, words: str) -> apply_pb2.ObjectApplied:
        """The rehearsal refused it, so nothing was written."""
        failure = self._refusal(key, reason, words)
        return self.applied(key, apply_pb2.OBJECT_OUTCOME_FAILED, failure=failure, dry_run=True)

    def failed(self, key: objects.ObjectKey, error: errors.DecklogError, version: str) -> apply_pb2.ObjectApplied:
        """It could not be written."""
        # What is deleted is wanted no more, yet the refusal may quote it.
        redactor = self._wanted.redactor.knowing(self._view.mask.secrets(self._view.live.get(key) or {}))
        failure = complaints.about_object(error, key, redactor=redactor, version=version)
        return self.applied(key, apply_pb2.OBJECT_OUTCOME_FAILED, failure=failure, dry_run=self._order.dry_run)

    def kept(self, key: objects.ObjectKey, why: inventory.Kept) -> apply_pb2.ObjectApplied:
        """It is no longer wanted, and stays."""
        name = self._chronicle.application.application
        words = f"{key.display} is no longer in Git and was not pruned: {complaints.why_kept(why)}"
        hint = complaints.way_out(why, name)
        if self._order.trigger is sync.Trigger.REMOVAL:
            words = f"{key.display} stays although its application was removed: {complaints.why_kept(why)}"
            hint = "Delete it by hand if it is not meant to stay"
        failure = sayings.failure(complaints.word_kept(why), words, hint)
        return self.applied(
            key,
            apply_pb2.OBJECT_OUTCOME_SKIPPED,
            before=self._view.live.get(key),
            failure=failure,
            dry_run=self._order.dry_run,
        )

    def not_yet(self, key: objects.ObjectKey) -> apply_pb2.ObjectApplied:
        """A dry-run cannot know."""
        words = f"{key.display} cannot be dry-run before this commit's own Namespace or definition exists"
        failure = sayings.failure("NotYetKnowable", words, "sync to find out")
        return self.applied(key, apply_pb2.OBJECT_OUTCOME_SKIPPED, failure=failure, dry_run=True)

    def _refusal(self, key: objects.ObjectKey, reason: str, words: str) -> subject_pb2.Failure:
        """Why an object was refused, and the place in Git where it is written."""
        one = self._wanted.members.get(key)
        about = sayings.ref(key, version=self._version(key))
        if one is None:
            return sayings.failure(reason, words, object=about)
        return sayings.failure(reason, words, object=about, file=one.file, line=one.line)

    def _former_holder(self, before: objects.KubeObject | None, after: objects.KubeObject | None) -> str:
        """Whose mark ours replaced."""
        mark = objects.tracking(after) if after is not None else None
        if before is None or mark is None:
            return ""
        return claims.former_holder(before, desired.Owner(mark.installation, mark.application))

    def _version(self, key: objects.ObjectKey) -> str:
        one = self._wanted.members.get(key)
        return one.gvk.version if one else self._chronicle.known.of(key).object.version
