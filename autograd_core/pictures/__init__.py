"""Pictures of computational graphs: tape, graph data, view, DOT, layout, SVG; each file is one step."""

from .drawing import draw
from .picture import Picture

__all__ = ["Picture", "draw"]
