"""CPU time of a process beside the one that measures, such as Postgres's."""

import math
import os
from pathlib import Path


def seconds(process: int) -> float:
    """What a process used until now, user and system (proc_pid_stat(5)); NaN if it is on another machine, or ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
