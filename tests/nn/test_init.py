import numpy as np
import pytest

import nn

INITIALISERS = {  # variance times fan_in, and the bound, for fan_in 50 and fan_out 200
    "uniform_fan_in": (1, np.sqrt(3 / 50)),
    "glorot": (2 * 50 / (50 + 200), np.sqrt(6 / (50 + 200))),
    "he": (2, np.inf),
}
every_initialiser = pytest.mark.parametrize("name", INITIALISERS)


@every_initialiser
def test_variance_and_bound(name):
    w = getattr(nn.init, name)(0, (200, 50))
    scale, bound = INITIALISERS[name]
    assert (w.shape, w.dtype) == ((200, 50), np.float64)
    assert abs(w.mean()) < 0.01
    np.testing.assert_allclose(w.var() * 50, scale, rtol=0.03)  # 10,000 draws: 1.4 % for a Gaussian
    assert np.abs(w).max() < bound
    if bound < np.inf:
        assert np.abs(w).max() > 0.99 * bound


@every_initialiser
def test_randomness_is_what_was_given(name):
    draw = getattr(nn.init, name)
    np.testing.assert_array_equal(draw(7, (3, 2)), draw(np.random.default_rng(7), (3, 2)))
    np.testing.assert_array_equal(draw(np.int64(7), (3, 2)), draw(7, (3, 2)))
    rng = np.random.default_rng(7)
    assert not np.array_equal(draw(rng, (3, 2)), draw(rng, (3, 2)))


@every_initialiser
def test_dtype(name):
    draw = getattr(nn.init, name)
    w = draw(0, (3, 2), dtype=np.float32)
    assert w.dtype == np.float32
    np.testing.assert_array_equal(w, draw(0, (3, 2)).astype(np.float32))
    for dtype in (int, complex):
        with pytest.raises(TypeError, match="weights are floats"):
            draw(0, (3, 2), dtype)


def test_fans_of_a_window():
    assert nn.init.fans((8, 3, 5, 5)) == (75, 200)


@every_initialiser
@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, -1)])
def test_shapes_that_no_weight_has(name, shape):
    with pytest.raises(ValueError, match=r"\(n_out, n_in\)"):
        getattr(nn.init, name)(0, shape)


@every_initialiser
@pytest.mark.parametrize("rng", [None, True, 0.5, np.random, np.random.RandomState(0)])
def test_other_sources_are_refused(name, rng):
    with pytest.raises(TypeError, match=r"rng is a seed, such as rng=0, or np\.random\.default_rng"):
        getattr(nn.init, name)(rng, (3, 2))


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (6, 2, 2, 2)])
def test_orthogonal(shape):
    w = nn.init.orthogonal(0, shape, gain=2.0, dtype=np.float32)
    assert (w.shape, w.dtype) == (shape, np.float32)
    m = w.reshape(shape[0], -1).astype(float)
    m = m if m.shape[0] <= m.shape[1] else m.T
    np.testing.assert_allclose(m @ m.T, 4 * np.eye(len(m)), atol=1e-5)


def test_gaussian():
    assert nn.init.gaussian(0, (400, 100)).std() == pytest.approx(0.1, rel=0.02)
    assert nn.init.gaussian(0, (400, 100), 3.0, np.float32).std() == pytest.approx(3, rel=0.02)
    with pytest.raises(ValueError, match="a deviation is a number from 0 upwards, not -1"):
        nn.init.gaussian(0, (2, 2), -1)
