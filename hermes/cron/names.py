"""What the firings of a job are called."""

import hashlib
import math
from datetime import tzinfo

from hermes.cron.schedule import iso
from hermes.types.ids import SessionId


def run_name(job_id: str, due_at: float) -> str:
    """The one name of a firing, in every boot: whatever is handed over under it a second time is known."""
    return f"cron:{job_id}:{due_at!r}"


def all_runs(job_id: str) -> tuple[str, str]:
    """The names of all firings of a job, and whatever begins with one, lie from the first of these to before the second."""
    return f"cron:{job_id}:", f"cron:{job_id};"


def stretch_id(job_id: str, due_at: float, zone: tzinfo) -> SessionId:
    """The stretch of conversation in which a firing is answered."""
    moment = iso(math.floor(due_at), zone)[:19].replace("-", "").replace(":", "").replace("T", "_")
    return SessionId(f"{moment}_{hashlib.sha256(run_name(job_id, due_at).encode()).hexdigest()[:8]}")
