"""Colours. Red and blue are equally grey, amber is near red to some eyes: shapes, dashes and arrows say it again."""

from __future__ import annotations

LECTURE = {
    "ground": "#FFFFFF",
    "text": "#1F2933",
    "muted": "#52606D",
    "input": "#FFFFFF",
    "input_line": "#1F2933",
    "input_text": "#1F2933",
    "parameter": "#C8372D",
    "parameter_line": "#8E1F17",
    "operation": "#2B6CB0",
    "operation_line": "#1B4B80",
    "failed": "#7A1611",
    "failed_line": "#E5484D",
    "filled_text": "#FFFFFF",
    "constant": "#FFFFFF",
    "constant_line": "#8A94A0",
    "constant_text": "#52606D",
    "box": "#F5F7FA",
    "box_line": "#CBD2D9",
    "edge": "#66717E",
    "flow": "#B45309",
    "ring": "#000000",
}
DARK = LECTURE | {
    "ground": "#0F1720",
    "text": "#F5F7FA",
    "muted": "#9FB0C0",
    "input": "#F5F7FA",
    "input_line": "#F5F7FA",
    "parameter_line": "#F0867E",
    "operation_line": "#7FB2E5",
    "constant": "#0F1720",
    "constant_line": "#8A97A5",
    "constant_text": "#C3CDD8",
    "box": "#17222E",
    "box_line": "#2E3E4E",
    "edge": "#8A97A5",
    "flow": "#F0A33E",
    "ring": "#FFFFFF",
}
THEMES = {"lecture": LECTURE, "dark": DARK}
FONT = "Helvetica, Arial, sans-serif"
