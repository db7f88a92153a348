"""What the scripts of this folder wait for is still there."""

import pytest
from common import STAGES, find


@pytest.mark.parametrize("verb", STAGES)
def test_the_functions_of_each_stage_are_there(verb):
    for places in STAGES[verb].values():
        for holder, name in map(find, places):
            assert callable(getattr(holder, name))
