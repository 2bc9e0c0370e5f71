"""Windows whose steps are not one row apart."""

import numpy as np
import pytest

from rnnkit.data import Batches


@pytest.mark.parametrize("offsets", [(0, 1, 2), (0, 3, 6), (0, 3, 4), (2, 1, 0), (0, 0), (0,), (1,), (2, 4, 6)])
@pytest.mark.parametrize("columns", [(), (2,), (2, 3)])
def test_the_steps_of_a_window_may_stand_anywhere_behind_its_first_row(offsets, columns):
    data = np.arange(12 * int(np.prod(columns))).reshape(12, *columns)
    starts = np.array([0, 1, 4, 5, 3])
    expected = np.stack([np.stack([data[start + k] for k in offsets]) for start in starts])
    batches = Batches(data, starts, np.array(offsets), batch_size=2)
    np.testing.assert_array_equal(np.concatenate(list(batches)), expected)
    np.testing.assert_array_equal(np.stack(list(Batches(data, starts, np.array(offsets)))), expected)
    for x in (*batches, *Batches(data, starts, np.array(offsets))):
        x[:] = -1  # fresh arrays: the series keeps its values
        assert x.flags.c_contiguous
    assert data.min() == 0
