"""After somebody was erased: nothing of them may be left in the file's free space either.

``secure_delete`` was considered and is not enough: it overwrites what is deleted from then on, but not the copies that
rows left behind when pages were split and merged before. A VACUUM writes the file anew from what is alive, and the
truncated log takes the old pages with it. It costs the time of writing the file once, and its size on the disk.
"""

import sqlite3


def is_due(connection: sqlite3.Connection) -> bool:
    """Was something erased since the file was last written anew? A row says so, so that a kill in between forgets nothing."""
    return connection.execute("SELECT unclean FROM writer").fetchall() == [(1,)]


def scrub(connection: sqlite3.Connection) -> bool:
    """Write the file anew, outside of any transaction. False: a reader kept the old pages, and it is due again."""
    connection.execute("VACUUM")
    ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if busy:
        return False
    connection.execute("UPDATE writer SET unclean = 0")
    return True
