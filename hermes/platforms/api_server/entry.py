"""The API server as a platform."""

from hermes.config.exposure import SHORTEST_KEY, is_local, is_weak
from hermes.config.platforms import PlatformConfig, Variable
from hermes.registry.entry import AdapterSetup, PlatformEntry
from hermes.types.content import Capabilities
from hermes.types.ports import Adapter


def _adapter(setup: AdapterSetup) -> Adapter:
    from hermes.platforms.api_server.adapter import ApiServer

    return ApiServer(setup)


def _problem(config: PlatformConfig) -> str:
    host = config.text("host")
    if not host or is_local(host) or not is_weak(config.text("key")):
        return ""
    return f"API_SERVER_HOST={host} lets others in: set API_SERVER_KEY to at least {SHORTEST_KEY} random characters"


ENTRY = PlatformEntry(
    name="api_server",
    label="API server",
    factory=_adapter,
    capabilities=Capabilities(
        max_length=1_000_000,
        streaming=("draft",),
        own_page=True,
        authenticated=True,
        idempotent_send=True,
        history=True,
        draft_interval_s=0.1,
        hint="You answer a program over HTTP; Markdown is passed on as it is.",
    ),
    validate=_problem,
    optional_env=(
        Variable(
            "API_SERVER_ENABLED", "enabled", "true: answer programs of this machine, also without a key"
        ),
        Variable("API_SERVER_KEY", "key", "The key that programs send", password=True, enables=True),
        Variable("API_SERVER_MODEL_NAME", "model_name", "What /v1/models calls the agent (hermes-agent)"),
        Variable("API_SERVER_HOST", "host", "The address of the gateway's server, web.host"),
        Variable("API_SERVER_PORT", "port", "Its port, web.port"),
    ),
    source="builtin",
    emoji="🔑",
)
