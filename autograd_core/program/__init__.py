"""The program: what a function does, as data.

`program` says what variables and equations are, and runs them one by one; `capture` writes them down while the function
runs, and `tracing` does so for `ag.trace` and `ag.compile`, with the `refusals` of what another run could not do and a
look `around` the function. `primitives` is the table of how each operation runs, `passes` make better programs,
`printing` shows them; `calls` and `weak` say how an operation is called with plain values.
"""

from .program import Equation, Program, Variable
from .tracing import trace

__all__ = ["Equation", "Program", "Variable", "trace"]
