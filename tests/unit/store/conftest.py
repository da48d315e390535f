"""A database in memory, with the same schema and SQL as the file's."""

import sqlite3
from collections.abc import Iterator

import pytest

from hermes.store.memory import in_memory


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = in_memory()
    yield connection
    connection.close()
