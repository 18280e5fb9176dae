"""The first trial of each cell, in every space at every scale: it can be built, and the space could have drawn it."""

import pytest

from search.space.scale import SCALES
from search.space.spaces import SPACES
from search.space.spec import TrialSpec
from search.space.values import resolve


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", SPACES)
def test_the_first_trial_of_a_cell_is_one_that_the_space_could_have_drawn(name: str, scale: str) -> None:
    space = SPACES[name]
    for first in space.first_parameters():
        spec = TrialSpec(**{**resolve({**SCALES[scale].fields, **space.fields}, first), **first})
        own = {field: getattr(spec, field) for field in (*space.axes, *space.sampled)}
        assert space.drawn_from(own) is not None, spec.trial_id
