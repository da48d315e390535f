"""The scripts of jobs: files below ``<home>/scripts``."""

from pathlib import Path

from hermes.cron.job import BadJob

SCRIPTS = "scripts"
_SHELLS = (".sh", ".bash")


def script_command(home: Path, script: str) -> list[str]:
    """How it is started. Blocks on the disk. Raises ``BadJob`` for one that is not there."""
    directory = (home / SCRIPTS).resolve()
    path = (directory / script).resolve()
    if not path.is_relative_to(directory) or not path.is_file():
        raise BadJob(f"there is no script {script!r:.200} below {home / SCRIPTS}")
    return ["bash" if path.suffix in _SHELLS else "python3", str(path)]
