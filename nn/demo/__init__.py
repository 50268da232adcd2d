"""The demonstration, ``python -m nn demo``: train, check, compile, draw, and put it all on one page.

`tasks` trains, `proof` checks gradients and compiles, `figures` draws curves with matplotlib, `page` joins them.
"""

from .page import Section, write
from .proof import check_gradient, compare_speed, draw_graph
from .tasks import Task, digits, moons

__all__ = ["Section", "Task", "check_gradient", "compare_speed", "digits", "draw_graph", "moons", "write"]
