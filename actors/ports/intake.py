"""The gate in front of the inbox: shut during a drain, so that nothing is acked that this process will not work on."""

import trio


class Intake:
    """Open from the start; once shut it stays shut for the life of the process."""

    def __init__(self) -> None:
        self.shut = False

    def shut_down(self) -> None:
        """From now on ``passage`` does not return: connections stay, cursors do not move."""
        self.shut = True

    async def passage(self) -> None:
        """Return while events may be taken in; wait to be cancelled otherwise."""
        if self.shut:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
