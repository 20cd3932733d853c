"""The zone of this machine, with its changes of summer time."""

import datetime as dt


class Local(dt.tzinfo):
    """Whatever the operating system says; unlike a fixed offset, right on every day of the year."""

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta | None:
        """The offset at a wall-clock time."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: dt.datetime | None) -> dt.timedelta | None:
        """Unknown: nobody asks."""
        return None if moment is None else dt.timedelta(0)

    def tzname(self, moment: dt.datetime | None) -> str | None:
        """The zone's abbreviation at a wall-clock time."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: dt.datetime) -> dt.datetime:
        """The wall-clock time of a UTC one."""
        return moment.replace(tzinfo=dt.UTC).astimezone().replace(tzinfo=self)
