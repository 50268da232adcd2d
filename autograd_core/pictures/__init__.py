"""Pictures of computational graphs: tape, graph data, view, DOT, layout, SVG; each file is one step."""

from .drawing import draw, on_error
from .picture import Picture

draw.on_error = on_error  # type: ignore[attr-defined]

__all__ = ["Picture", "draw"]
