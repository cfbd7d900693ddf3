"""Where SVG paths go, so that tests can see that nothing leaves its chart."""

from __future__ import annotations

import re

_PARTS = re.compile(r"([MVHhvmlaz])([^A-Za-z]*)")


def corners(path: str) -> list[tuple[float, float]]:
    """Points that a path of straight lines visits."""
    x = y = 0.0
    found = []
    for command, text in _PARTS.findall(path):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", text)]
        if command in "Mml":
            for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
                x, y = (dx, dy) if command == "M" else (x + dx, y + dy)
                found.append((x, y))
            continue
        if command == "V":
            y = numbers[0]
        elif command == "H":
            x = numbers[0]
        elif command == "v":
            y += numbers[0]
        elif command == "h":
            x += numbers[0]
        found.append((x, y))
    return found
