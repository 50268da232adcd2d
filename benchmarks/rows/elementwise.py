"""A chain of element-wise functions: many temporaries, no products."""

import numpy as np

from benchmarks.rows.base import Gradients


class Elementwise(Gradients):
    """`sum(sin(exp(-x**2)) * x + log1p(x**2))`."""

    def __init__(self, name, title, size, dtype):
        super().__init__(name, title)
        self.size = size
        self.dtype = dtype

    def make(self, rng):
        """Normal numbers."""
        self.params = [rng.normal(size=self.size).astype(self.dtype)]

    @staticmethod
    def by_hand(x):
        """Whatever both passes need is computed once."""
        square = x * x
        bell = np.exp(-square)
        wave = np.sin(bell)
        loss = np.sum(wave * x + np.log1p(square))
        return loss, wave - 2 * square * bell * np.cos(bell) + 2 * x / (1 + square)

    def words(self, np):
        """As one writes it."""
        return lambda x: np.sum(np.sin(np.exp(-(x**2))) * x + np.log1p(x**2))

    torch_words = words


ROWS = [
    Elementwise("elementwise-1e4-f32", "element-wise chain, 10^4", 10_000, np.float32),
    Elementwise("elementwise-1e4-f64", "element-wise chain, 10^4", 10_000, np.float64),
    Elementwise("elementwise-1e6-f32", "element-wise chain, 10^6", 1_000_000, np.float32),
    Elementwise("elementwise-1e6-f64", "element-wise chain, 10^6", 1_000_000, np.float64),
]
