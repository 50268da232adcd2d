"""Linear algebra: solve, inverse, determinants, Cholesky; batched over leading axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import rule
from ..spaces import mT

rule(np.linalg.inv, lambda g, ans: -mT(ans) @ g @ mT(ans), params="a", batched=True)
