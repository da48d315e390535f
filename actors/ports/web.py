"""Where the web server is, and how a one-time link to it is made."""

from hermes.store.port import Store
from hermes.types.errors import UNREACHABLE, Failure, GatewayError
from hermes.types.ids import Clock, IdSource
from hermes.web.auth import BrowserSessions, login_url


class WebPort:
    """Outlives the web server's incarnations, and with it the sessions' cache and the port number that was taken."""

    def __init__(self, store: Store, clock: Clock, ids: IdSource) -> None:
        self.sessions = BrowserSessions(store, clock, ids)
        self.last_port: int | None = None
        self._host: str | None = None

    @property
    def port(self) -> int | None:
        """The port that is served now."""
        return None if self._host is None else self.last_port

    def up(self, host: str, port: int) -> None:
        """The server listens there."""
        self._host, self.last_port = host, port

    def down(self) -> None:
        """The server's incarnation has ended."""
        self._host = None

    async def link(self) -> str:
        """A URL that logs one browser in, once. Raises ``GatewayError`` (``unreachable``) while no server is up."""
        if self._host is None or self.last_port is None:
            raise GatewayError(
                Failure(
                    UNREACHABLE, detail="the web server is not up; `hermes tree root/gateway/web` says why"
                )
            )
        return login_url(self._host, self.last_port, await self.sessions.new_link_code())
