"""Programs as users write them, for type checkers: what each gives is asserted. test_typing.py checks it, and runs it."""

from collections.abc import Callable
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import autograd_core as ag
import nn

Floats = npt.NDArray[np.float64]
Array = np.ndarray[Any, np.dtype[Any]]

# --- Tensors: operators and methods -----------------------------------------------------------------------------------

x = ag.Tensor([0.5, -1.2, 2.0], name="x")
assert_type(x, ag.Tensor)
assert_type(x * 2, ag.Tensor)
assert_type(2 * x, ag.Tensor)
assert_type(x + x - 1, ag.Tensor)
assert_type(1 / x, ag.Tensor)
assert_type(x**2, ag.Tensor)
assert_type(-x, ag.Tensor)
assert_type(abs(x), ag.Tensor)
assert_type(x @ x, ag.Tensor)
assert_type(x[0], ag.Tensor)
assert_type(x[1:], ag.Tensor)
assert_type(x.T, ag.Tensor)
assert_type(x.reshape(3, 1), ag.Tensor)
assert_type((x * x).sum(), ag.Tensor)
assert_type(x.mean(axis=0, keepdims=True), ag.Tensor)
assert_type(x.max(), ag.Tensor)
assert_type(x.astype(np.float32), ag.Tensor)
assert_type(x.detach(), ag.Tensor)
assert_type(x.shape, tuple[int, ...])
assert_type(x.grad, Array | None)
assert_type(x.name, str | None)
assert_type(x.requires_grad, bool)
assert_type(list(x), list[ag.Tensor])
(x * x).mean().backward()
if x.grad is not None:
    x.data -= 0.1 * x.grad
x.grad = None
x.grad = np.zeros(3)
y = x.copy()
y[0] = 2.0
y += 1
assert_type(y, ag.Tensor)
if (x > 0).all():
    assert_type(len(x), int)

# --- plain NumPy: whatever NumPy's stubs say, without an error --------------------------------------------------------

W = ag.Tensor(np.eye(3))
np.sum(np.tanh(W @ x) ** 2).backward()
np.sum(np.exp(x)).backward()
np.sum(np.where(x > 0, x, 0.0)).backward()
np.sum(np.concatenate([x, x])).backward()
loss: ag.Tensor = (np.tanh(W @ x) * x).sum()
loss.backward()

# --- transforms keep the signature of the function --------------------------------------------------------------------


def rosenbrock(v: Floats, a: float = 1.0) -> Any:
    return np.sum(100 * (v[1:] - v[:-1] ** 2) ** 2 + (a - v[:-1]) ** 2)


v: Floats = np.ones(3)
assert_type(ag.grad(rosenbrock)(v, 2.0), Any)
slope: Floats = ag.grad(rosenbrock)(v, a=3.0)
value, slope = ag.value_and_grad(rosenbrock)(v)
H: Floats = ag.hessian(rosenbrock)(v)
J: Floats = ag.jacobian(lambda u: u * 2)(v)
value, pull = ag.vjp(rosenbrock, v)
assert_type(ag.hvp(rosenbrock)(v, v), Any)
compiled = ag.compile(ag.value_and_grad(rosenbrock))
compiled(v)
compiled(v, a=2.0)
print(compiled.plan)


@ag.compile
def step(u: Floats, rate: float) -> Floats:
    found: Floats = u - rate * ag.grad(rosenbrock)(u)
    return found


@ag.compile(check=True)
def checked(u: Floats) -> Any:
    return np.sum(u)


step(v, 0.1)
checked(v)
kept: Callable[[Floats, float], Any] = ag.checkpoint(rosenbrock)
assert_type(ag.stop_gradient(v), Floats)
assert_type(ag.stop_gradient(x), ag.Tensor)
assert_type(ag.relu(x), ag.Tensor)
assert_type(ag.relu(v), Floats)


@ag.primitive
def cube(a: Any) -> Any:
    return a**3


ag.rule(cube, lambda g, x: g * 3 * x**2)


@ag.no_grad()
def predict(u: Floats) -> ag.Tensor:
    return W @ u


assert_type(predict(v), ag.Tensor)
assert_type(ag.fresh(np.random.default_rng(0).random), float)
bool(ag.gradcheck(rosenbrock, v))
print(ag.explain(loss))
ag.draw(loss, inputs={"x": x}).save("graph.txt")
print(ag.trace(rosenbrock)(v))

# --- networks ---------------------------------------------------------------------------------------------------------

model = nn.MLP([3, 8, 2], "tanh", rng=0)
inputs, labels = np.zeros((5, 3)), np.zeros(5, int)
assert_type(model(inputs), ag.Tensor)
assert_type(nn.cross_entropy(model(inputs), labels), ag.Tensor)
assert_type(nn.mse(model(inputs), np.zeros((5, 2)), "sum"), ag.Tensor)
assert_type(nn.sigmoid(model(inputs)), ag.Tensor)
assert_type(nn.softmax(model(inputs), axis=1), ag.Tensor)
assert_type(nn.sigmoid(v), Floats)
optimizer = nn.Adam(model.parameters(), lr=1e-3)
optimizer.zero_grad()
nn.cross_entropy(model(inputs), labels).backward()
optimizer.step()
history = nn.fit(
    model, (inputs, labels), loss=nn.cross_entropy, optimizer=nn.SGD(lr=0.1), epochs=2, progress=False, rng=0
)
assert_type(history, nn.History)
states, last = nn.RNN(3, 4, rng=0)(np.zeros((6, 5, 3)))
assert_type(states, ag.Tensor)
states, (h, c) = nn.LSTM(3, 4, rng=0)(np.zeros((6, 5, 3)))
assert_type(c, ag.Tensor)


class Scaled(nn.Module):
    def __init__(self, n: int) -> None:
        self.inner = nn.Linear(n, n, rng=0)
        self.factor = ag.Tensor(np.ones(n))

    def forward(self, u: Floats) -> ag.Tensor:
        return self.inner(u) * self.factor


assert_type(Scaled(3)(inputs), ag.Tensor)
assert_type(list(Scaled(3).parameters()), list[ag.Tensor])
