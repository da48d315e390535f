"""The static page: three files, read once. No build step, no other host, and no path from a request to the disk."""

from importlib import resources

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


class Page:
    """Serves ``/`` and ``/static/*``."""

    def __init__(self) -> None:
        self._files = {
            file.name: file.read_bytes() for file in (resources.files("hermes.web") / "static").iterdir()
        }

    async def index(self, _request: Request) -> Response:
        """The one page there is."""
        return self._answer("index.html")

    async def static(self, request: Request) -> Response:
        """A file the page needs."""
        return self._answer(request.path_params["name"])

    def _answer(self, name: str) -> Response:
        if name not in self._files:
            raise HTTPException(404)
        # no-cache, not max-age: after an update the page and its script must be of one age
        return Response(
            self._files[name],
            media_type=_TYPES[name.rpartition(".")[2]],
            headers={"cache-control": "no-cache"},
        )
