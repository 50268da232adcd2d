"""Draw the images of `pictures.md` again: ``python docs/pictures.py``, where Graphviz is installed."""

from pathlib import Path

import numpy as np

import autograd_core as ag
import nn

IMAGES = Path(__file__).parent / "images"


def micrograd():
    """Draw the example of micrograd's README."""
    a, b = ag.Tensor(-4.0), ag.Tensor(2.0)
    c = a + b
    d = a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + ag.relu(b + a)
    d = d + 3 * d + ag.relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g = g + 10.0 / f
    return ag.draw(g)


def readme():
    """Draw the first example of the README, whose images are called forward.svg and backward.svg."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 1))
    W1, b1 = ag.Tensor(rng.normal(size=(3, 4)), name="W1"), ag.Tensor(np.zeros(4), name="b1")
    W2, b2 = ag.Tensor(rng.normal(size=(4, 1)), name="W2"), ag.Tensor(np.zeros(1), name="b2")
    loss = np.mean((np.tanh(X @ W1 + b1) @ W2 + b2 - y) ** 2)
    return ag.draw(loss, inputs={"X": X, "y": y})


def lecture():
    """Draw the loss of a two-layer perceptron with a penalty."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=3), np.array([1.0])
    W1, W2 = ag.Tensor(rng.normal(size=(3, 4))), ag.Tensor(rng.normal(size=(4, 1)))
    with ag.scope("layer 1"):
        h = nn.functional.sigmoid(x @ W1)
    with ag.scope("layer 2"):
        p = nn.functional.sigmoid(h @ W2)
    loss = nn.bce(p, y)
    with ag.scope("regulariser"):
        penalty = 0.1 * (np.linalg.norm(W1) + np.linalg.norm(W2))
    L = loss + penalty
    return ag.draw(L, inputs={"x": x, "y": y}, outputs={"ŷ": p})


def layers():
    """Draw twelve equal layers."""
    model = nn.MLP([8, *[16] * 13, 1], activation="tanh", rng=0)
    return ag.draw(model, np.random.default_rng(0).normal(size=(4, 8)))


def vanishing(**more):
    """Draw sigmoids, one after another."""
    model = nn.MLP([4] * 7, activation="sigmoid", rng=0)
    return ag.draw(lambda x: np.sum(model(x) ** 2), np.random.default_rng(0).normal(size=(4, 4)), params=model, **more)


def coloured():
    """Draw the same, coloured by the size of gradients."""
    return vanishing(color_by="gradient")


if __name__ == "__main__":
    for make, direction, theme in [
        (readme, "forward", "lecture"),
        (readme, "backward", "lecture"),
        (lecture, "forward", "lecture"),
        (lecture, "backward", "lecture"),
        (lecture, "backward", "dark"),
        (micrograd, "forward", "lecture"),
        (layers, "forward", "lecture"),
        (vanishing, "backward", "lecture"),
        (coloured, "backward", "lecture"),
    ]:
        name = f"{make.__name__}_{direction}{'_dark' if theme == 'dark' else ''}.svg".removeprefix("readme_")
        (IMAGES / name).write_text(make().to_svg(direction, theme=theme), encoding="utf-8", newline="\n")
