"""A database in memory, with the same schema and SQL as the file's."""

import sqlite3
from collections.abc import Iterator

import pytest

from hermes.store.schema import prepare


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    prepare(connection)
    yield connection
    connection.close()
