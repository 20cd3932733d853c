"""Job and CronJob.

https://kubernetes.io/docs/concepts/workloads/controllers/job/
"""

from collections.abc import Mapping

from services.reconcile.core.health_rules.verdict import Facts, Health, Rule, degraded, healthy, progressing, suspended


def job(facts: Facts) -> Health:
    """Healthy once it completed. kstatus calls a running Job settled; for a delivery it is not over before it ended."""
    failed = facts.condition("Failed")
    if failed is not None and failed.status == "True":
        return degraded(failed.reason or "JobFailed", failed.message or "it failed")
    complete = facts.condition("Complete")
    if complete is not None and complete.status == "True":
        return healthy(complete.message or "it completed", "JobCompleted")
    paused = facts.condition("Suspended")
    is_paused = paused is not None and paused.status == "True"
    if facts.flag("spec", "suspend") and (paused is None or is_paused):
        return suspended("JobSuspended", "it is suspended")
    if facts.flag("spec", "suspend") != is_paused:
        return progressing("JobSuspending" if facts.flag("spec", "suspend") else "JobResuming", "it is being switched")
    if not facts.text("status", "startTime"):
        return progressing("JobNotStarted", "it has not started yet")
    done, wanted = facts.number("status", "succeeded"), facts.number("spec", "completions", default=1)
    return progressing("JobRunning", f"{done} of {wanted} completions")


def cron_job(facts: Facts) -> Health:
    """It is a timetable: there or suspended. Its Jobs have a health of their own."""
    if facts.flag("spec", "suspend"):
        return suspended("CronJobSuspended", "it is suspended")
    return healthy("it exists", "Exists")


RULES: Mapping[tuple[str, str], Rule] = {("batch", "Job"): job, ("batch", "CronJob"): cron_job}
