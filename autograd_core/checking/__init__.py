"""Is this gradient right, here, at these values? And if it is not: which entry, of which operation, by how much?"""

from .checker import gradcheck
from .report import Blame, Entry, GradientError, InconclusiveWarning, Report

__all__ = ["Blame", "Entry", "GradientError", "InconclusiveWarning", "Report", "gradcheck"]
