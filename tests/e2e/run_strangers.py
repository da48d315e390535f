"""``hermes`` beside a fake platform whose people are all strangers; with ``HERMES_DIE_AFTER_PAIRING`` the process dies as soon as
a pairing file is written, before anybody acts on it.
"""

import os
import signal

from hermes.ops.pairing_files import PairingFiles
from hermes.testing.run_with_faults import main

if __name__ == "__main__":
    os.environ.pop("WIRE_ALLOW_ALL_USERS", None)
    write = PairingFiles._write

    def write_and_die(self, changes, wanted):
        write(self, changes, wanted)
        os.kill(os.getpid(), signal.SIGKILL)

    if os.environ.get("HERMES_DIE_AFTER_PAIRING"):
        PairingFiles._write = write_and_die
    main()
