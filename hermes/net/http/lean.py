"""httpx as far as a gateway needs it: without the program that it is on the command line, which would load rich and pygments,
five megabytes of them. To Python a module that stands here as None cannot be imported, and httpx does without this one.
"""

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402 - after that

__all__ = ["httpx"]
