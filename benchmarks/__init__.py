"""Side-by-side timings against hand-written NumPy: `python -m benchmarks`, from the root of the checkout.

Read in this order: `rows/` (what is computed), `styles/` (how each library's user asks for it), `measure.py` (how it is
timed), `report.py`.  Uses NumPy and the standard library; every other library is a guest in a process of its own.
"""
