"""Compiling: a function is recorded once, its tape becomes a plan, and the plan is replayed at the machine's speed."""

from .run import Compiled, compile

__all__ = ["Compiled", "compile"]
