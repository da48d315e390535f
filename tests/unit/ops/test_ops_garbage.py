"""Of the whole process, so each test puts back what it found."""

import gc

import pytest

from hermes.ops.garbage import YOUNG_OBJECTS, look_rarely, spare_what_is_there


@pytest.fixture(autouse=True)
def put_back():
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_looks_become_rare_and_go_on():
    look_rarely()

    assert gc.get_threshold()[0] == YOUNG_OBJECTS
    assert gc.isenabled()


def test_what_is_there_is_gone_through_no_more():
    mine = [object()]
    spare_what_is_there()

    assert not any(one is mine for one in gc.get_objects())
