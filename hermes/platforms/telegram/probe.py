"""Whether a token is any good: one ``getMe``, by a client of its own."""

from hermes.net.http.client import open_client
from hermes.platforms.telegram.api import as_object, result
from hermes.platforms.telegram.settings import read
from hermes.registry.entry import AdapterSetup, Proof

METHOD = "getMe"


async def probe(setup: AdapterSetup) -> Proof:
    """See ``PlatformEntry``. Raises ``GatewayError``; the token is in none of its words."""
    settings = read(setup.config)
    async with open_client(redact=lambda path: f"/…/{path.rpartition('/')[2]}") as client:
        reply = await client.request("POST", f"{settings.base_url}{settings.token}/{METHOD}", json={})
    me = as_object(result(METHOD, {}, reply, poll_timeout_s=0.0))
    return Proof(f"@{me.get('username', '')}", reply.headers.get("date", ""))
