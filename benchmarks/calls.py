"""Calls through plain `import numpy`, and what each library's arrays make of them: `python -m benchmarks.features --calls`.

Every line is an expression of x, six numbers between 0.2 and 0.9, A, a matrix of two rows, or S, a matrix of three rows
and columns. Right is a gradient of the sum of squares of its result that agrees with differences of NumPy's own results;
wrong is any other, and everything else is an exception.
"""

import numpy as np

X = np.array([0.31, 0.74, 0.52, 0.23, 0.88, 0.46])
C = np.array([0.7, 0.2, 0.9, 0.4, 0.55, 0.35])
A = np.array([[0.3, 0.8, 0.5], [0.9, 0.25, 0.6]])
S = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, 0.4], [0.1, 0.4, 1.2]])
GIVEN = {"x": X, "A": A, "S": S}

UNARY = """sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arctanh exp exp2 expm1 log log2 log10 log1p sqrt cbrt
square reciprocal negative positive absolute fabs sinc i0 deg2rad rad2deg degrees radians conjugate real nan_to_num
ravel copy sort flip sum mean prod max min std var ptp median cumsum cumprod diff ediff1d trim_zeros asin acos atan"""
BINARY = """add subtract multiply divide true_divide power float_power pow maximum minimum fmax fmin hypot arctan2 logaddexp
logaddexp2 fmod remainder mod copysign dot inner outer vdot convolve correlate"""
REDUCING = """sum mean prod max min amax amin std var ptp median average cumsum cumprod nansum nanmean nanprod nanmax nanmin
nanstd nanvar nanmedian nancumsum nancumprod cumulative_sum cumulative_prod"""
OTHERS = """
np.arccosh(1 + x); np.acosh(1 + x); np.atanh(x); np.clip(x, 0.3, 0.6); np.round(x, 1) * x; np.quantile(x, 0.3)
np.percentile(x, 40); np.nanquantile(x, 0.3); np.nanpercentile(x, 40); np.average(x, weights=C); np.trapezoid(x)
np.gradient(x); np.interp(0.4, np.arange(6.0), x); np.interp(x, np.linspace(0, 1, 5), np.arange(5.0)); np.cov(A)
np.corrcoef(A); np.cross(A[0], A[1]); np.reshape(x, (2, 3)); np.reshape(x, -1); np.transpose(A); np.swapaxes(A, 0, 1)
np.moveaxis(A, 0, 1); np.rollaxis(A, 1); np.expand_dims(x, 0); np.squeeze(A[None]); np.broadcast_to(x, (2, 6))
np.atleast_1d(x); np.atleast_2d(x); np.atleast_3d(x); np.flip(A, 1); np.fliplr(A); np.flipud(A); np.rot90(A); np.roll(x, 2)
np.tile(x, 2); np.repeat(x, 2); np.resize(x, 8); np.diag(x); np.diag(S); np.diagonal(S); np.tril(S); np.triu(S); np.trace(S)
np.take(x, [0, 2, 2]); np.take_along_axis(A, np.array([[0], [2]]), 1); np.compress([True, False, True], A, axis=1)
np.extract(C > 0.4, x); np.delete(x, 1); np.insert(x, 1, 0.5); np.append(x, C); np.pad(x, 1); np.pad(x, 2, mode="reflect")
np.permute_dims(A); np.matrix_transpose(A); np.astype(x, np.float64); np.split(x, 2)[1]; np.array_split(x, 4)[0]
np.hsplit(A, 3)[1]; np.vsplit(A, 2)[0]; np.unstack(A)[1]; np.concatenate([x, C]); np.stack([x, C]); np.vstack([x, C])
np.hstack([x, C]); np.dstack([x, C]); np.column_stack([x, C]); np.block([x, x]); np.meshgrid(x, C)[0]
np.broadcast_arrays(x, np.ones((2, 6)))[0]; np.where(C > 0.4, x, 0.0); np.where(x > 0.5, x, C)
np.select([C > 0.4, C > 0.2], [x, x * x]); np.piecewise(x, [x > 0.5], [lambda t: t * t, lambda t: t])
np.choose([0, 1, 0, 1, 1, 0], [x, C]); np.partition(x, 2); np.sort(A, axis=0); np.matmul(A, S); np.matmul(S, S)
np.dot(A, S); np.dot(C[:2], A); np.tensordot(A, S, 1); np.einsum("ij,jk->ik", A, S); np.einsum("ij,ij->", A, A)
np.einsum("ij->ji", A); np.kron(A, C[:2]); np.vecdot(A, A); np.linalg.multi_dot([A, S, S]); np.linalg.matrix_power(S, 3)
np.linalg.norm(x); np.linalg.norm(x, 3); np.linalg.norm(A); np.linalg.norm(A, axis=1); np.linalg.norm(S, "nuc")
np.linalg.norm(S, 2); np.linalg.inv(S); np.linalg.det(S); np.linalg.slogdet(S)[1]; np.linalg.solve(S, C[:3])
np.linalg.solve(S, S.T); np.linalg.cholesky(S @ S.T); np.linalg.eigvalsh(S + S.T); np.linalg.eigh(S + S.T)[0]
np.linalg.svd(S)[1]; np.linalg.svdvals(S); np.abs(np.linalg.qr(S)[1]); np.linalg.pinv(A); np.linalg.lstsq(S, C[:3])[0]
np.linalg.matrix_norm(A); np.linalg.vector_norm(x); np.linalg.trace(S); np.linalg.diagonal(S); np.linalg.outer(x, C)
np.linalg.matmul(A, S); np.linalg.vecdot(A, A); np.linalg.tensordot(A, S, axes=1); np.linalg.tensorinv(S, 1)
np.linalg.tensorsolve(S, C[:3]); np.linalg.cond(S); np.abs(np.fft.fft(x)); np.real(np.fft.fft(x)); np.imag(np.fft.fft(x))
np.real(np.fft.ifft(x)); np.abs(np.fft.rfft(x)); np.fft.irfft(x); np.abs(np.fft.fft2(A)); np.abs(np.fft.rfft2(A))
np.fft.fftshift(x); np.fft.ifftshift(x); np.polyval(x, 0.5); np.polyval(C, x); np.polymul(x, C); np.polyadd(x, C)
np.polysub(x, C); np.polyder(x); np.polyint(x); np.poly(x); np.vander(x); np.polyfit(np.arange(6.0), x, 2)
np.add.reduce(A); np.multiply.reduce(A); np.maximum.reduce(A); np.add.accumulate(x); np.multiply.accumulate(x)
np.maximum.accumulate(x); np.add.outer(x, C); np.multiply.outer(x, C); np.subtract.outer(x, C); np.add.reduceat(x, [0, 3])
np.apply_along_axis(lambda r: r * r, 1, A); np.apply_over_axes(np.sum, A, [0, 1]); np.full_like(C, 2.0) * x
np.zeros_like(x) + x; np.ones_like(x) * x; np.unwrap(x); np.angle(x + 0j) + x; np.heaviside(C - 0.4, 0.5) * x
np.fix(x) + x; np.trunc(x) + x; np.floor(x) + x; np.sign(x) * x; np.modf(x)[0]; np.divmod(x, 0.3)[1]; np.frexp(x)[0]
np.ldexp(x, 2); np.nan_to_num(x, nan=1.0); np.sum(x, initial=1.0); np.max(x, initial=0.0); np.mean(A, where=A > 0.4)
"""


def calls():
    """Return all expressions."""
    lines = [f"np.{name}(x)" for name in UNARY.split()]
    lines += [f"np.{name}({a})" for name in BINARY.split() for a in ("x, C", "C, x")]
    lines += [f"np.{name}(A, axis=1)" for name in REDUCING.split()]
    return lines + [line.strip() for line in OTHERS.replace("\n", ";").split(";") if line.strip()]


def function(call):
    """Return a call as a function of its variable, and where to differentiate it."""
    name = next(name for name in GIVEN if name in compile(call, "<call>", "eval").co_names)
    body = eval(f"lambda {name}: {call}", {"np": np, "C": C, **GIVEN})
    return body, GIVEN[name]


def expected(f, x, h=1e-6):
    """Return the gradient of the sum of squares by central differences of NumPy's results."""
    slope = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        slope[i] = (np.sum(f(up) ** 2) - np.sum(f(down) ** 2)) / (2 * h)
    return slope


def verdict(call, gradient):
    """Say what a library makes of a call: right, raises or wrong."""
    f, x = function(call)
    want = expected(f, x)

    def loss(t):
        y = f(t)
        return (y * y).sum()

    try:
        found = np.asarray(gradient(loss, x.copy()), float)
    except Exception:
        return "raises"
    good = found.shape == want.shape and np.allclose(found, want, rtol=1e-4, atol=1e-6 * max(1.0, np.abs(want).max()))
    return "right" if good else "wrong"


def count(gradient):
    """Return how many calls are right, raise and are wrong, and which are not right."""
    found = {call: verdict(call, gradient) for call in calls()}
    numbers = [list(found.values()).count(kind) for kind in ("right", "raises", "wrong")]
    return numbers, {call: kind for call, kind in found.items() if kind != "right"}
