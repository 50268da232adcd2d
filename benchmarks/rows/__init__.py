"""What is computed: one file a family, rows from simple to complex."""

from benchmarks.rows import elementwise, graphs, networks, scalars, second_order, training

ROWS = [*scalars.ROWS, *networks.ROWS, *elementwise.ROWS, *graphs.ROWS, *second_order.ROWS, *training.ROWS]
