"""``python -m hermes.testing.telegram [--port P] [--control P] [--token T …] [--poll-s S]``: a Telegram until it is ended.

Prints one line, ``URL CONTROL_PORT``, once both can be reached. With several tokens there are several bots.
"""

import argparse
import sys
from functools import partial

import trio

from hermes.testing.telegram.control import Control
from hermes.testing.telegram.fake import TOKEN, FakeTelegram


async def serve(port: int, control: int, tokens: list[str], poll_s: float) -> None:
    """Run until cancelled."""
    fake = FakeTelegram(tokens[0], poll_s=poll_s)
    for number, token in enumerate(tokens[1:], 2):
        fake.add_bot(token, f"hermes{number}_bot")
    async with fake.listening(port), trio.open_nursery() as nursery:
        listen = partial(trio.serve_tcp, Control(fake).serve, control, host="127.0.0.1")
        listeners = await nursery.start(listen)
        sys.stdout.write(f"{fake.url} {listeners[0].socket.getsockname()[1]}\n")
        sys.stdout.flush()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m hermes.testing.telegram")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control", type=int, default=0)
    parser.add_argument("--token", action="append")
    parser.add_argument("--poll-s", type=float, default=50.0)
    asked = parser.parse_args()
    try:
        trio.run(serve, asked.port, asked.control, asked.token or [TOKEN], asked.poll_s)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
