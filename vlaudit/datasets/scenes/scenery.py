"""Background pictures, one per place and texture, cached."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

from PIL import Image, ImageDraw

TEXTURES = 48
"""Number of variants of each place, which captions never mention."""

_SCALE = 2
_SIDE = 96
Color = tuple[int, int, int]


class _Brush:
    def __init__(self, name: str, texture: int) -> None:
        self.random = random.Random(f"{name}-{texture}")
        self.image = Image.new("RGB", (_SIDE * _SCALE, _SIDE * _SCALE))
        self._draw = ImageDraw.Draw(self.image)

    def tint(self, color: Color, by: int = 10) -> Color:
        red, green, blue = (min(255, max(0, level + self.random.randint(-by, by))) for level in color)
        return red, green, blue

    def band(self, top: float, bottom: float, color: Color) -> None:
        self._draw.rectangle([0, top * _SCALE, _SIDE * _SCALE, bottom * _SCALE], fill=color)

    def rect(self, left: float, top: float, right: float, bottom: float, color: Color) -> None:
        self._draw.rectangle([side * _SCALE for side in (left, top, right, bottom)], fill=color)

    def poly(self, points: list[tuple[float, float]], color: Color) -> None:
        self._draw.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=color)

    def ellipse(self, x: float, y: float, rx: float, ry: float, color: Color) -> None:
        self._draw.ellipse([side * _SCALE for side in (x - rx, y - ry, x + rx, y + ry)], fill=color)

    def line(self, points: list[tuple[float, float]], color: Color, width: float) -> None:
        self._draw.line([(x * _SCALE, y * _SCALE) for x, y in points], fill=color, width=round(width * _SCALE))


def _park(brush: _Brush, horizon: float) -> None:
    brush.band(0, horizon, brush.tint((150, 212, 246)))
    brush.band(horizon, _SIDE, brush.tint((122, 196, 98)))
    x = brush.random.uniform(20, 76)
    brush.poly([(x - 2, horizon), (x + 2, horizon), (x + 24, 96), (x - 14, 96)], (222, 206, 168))
    for left in (4, 36, 68):
        x = left + brush.random.uniform(0, 20)
        top = horizon - brush.random.uniform(10, 16)
        brush.rect(x - 1.6, top, x + 1.6, horizon + 3, (120, 84, 56))
        for dx, dy in ((-5, 0), (5, 0), (0, -5), (0, 2)):
            brush.ellipse(x + dx, top + dy, 6, 6, (70, 148, 70))


def _beach(brush: _Brush, horizon: float) -> None:
    brush.band(0, horizon - 8, brush.tint((140, 206, 244)))
    brush.ellipse(brush.random.uniform(8, 88), brush.random.uniform(7, 16), 6, 6, (255, 226, 90))
    brush.band(horizon - 8, horizon + 6, brush.tint((44, 128, 206)))
    for _ in range(9):
        x, y = brush.random.uniform(0, 90), horizon + brush.random.uniform(-6, 3)
        brush.line([(x, y), (x + 7, y)], (200, 230, 248), 1)
    brush.band(horizon + 6, horizon + 8, (242, 248, 250))
    brush.band(horizon + 8, _SIDE, brush.tint((244, 222, 168)))


def _street(brush: _Brush, horizon: float) -> None:
    brush.band(0, horizon, brush.tint((190, 200, 216)))
    x = -brush.random.uniform(0, 8)
    while x < _SIDE:
        width, top = brush.random.uniform(13, 20), horizon - brush.random.uniform(18, 38)
        brush.rect(x, top, x + width - 1, horizon, brush.tint((168, 140, 132), 24))
        for row in range(int((horizon - top) // 8)):
            for column in range(int((width - 4) // 5)):
                left, up = x + 3 + column * 5, top + 3 + row * 8
                brush.rect(left, up, left + 2, up + 3, (250, 236, 170))
        x += width
    brush.band(horizon, horizon + 4, (196, 196, 196))
    brush.band(horizon + 4, _SIDE, brush.tint((122, 122, 130)))
    start = brush.random.uniform(-12, 0)
    for step in range(6):
        brush.rect(start + step * 20, 76, start + step * 20 + 10, 78.5, (240, 238, 214))


def _forest(brush: _Brush, horizon: float) -> None:
    brush.band(0, horizon, brush.tint((168, 196, 186)))
    for back in (True, False):
        for step in range(8):
            x = step * 13 + brush.random.uniform(-5, 5)
            top, low = brush.random.uniform(2, 14) + (0 if back else 10), horizon + (0 if back else 4)
            shade: Color = (52, 104, 74) if back else (30, 78, 52)
            brush.rect(x - 1.4, low - 4, x + 1.4, low + 2, (86, 60, 44))
            for level in range(3):
                y = top + (low - top) * (level + 1) / 3.4
                reach = 4 + level * 2.2
                brush.poly([(x, y - (low - top) / 2.6), (x - reach, y), (x + reach, y)], shade)
    ground = brush.tint((112, 120, 78))
    brush.band(horizon + 3, _SIDE, ground)
    for _ in range(30):
        x, y = brush.random.uniform(0, 96), brush.random.uniform(horizon + 6, 95)
        brush.line([(x, y), (x + 1, y - 2)], (86, 100, 60), 1)


def _desert(brush: _Brush, horizon: float) -> None:
    brush.band(0, horizon + 6, brush.tint((252, 214, 160)))
    for _ in range(3):
        x, reach = brush.random.uniform(0, 96), brush.random.uniform(26, 44)
        brush.ellipse(x, horizon + 12, reach, brush.random.uniform(14, 24), brush.tint((232, 164, 96)))
    brush.band(horizon + 4, _SIDE, brush.tint((222, 150, 84)))
    for left in (6, 56):
        x, low = left + brush.random.uniform(0, 32), horizon + 8
        for points in ([(x, low), (x, low - 18)], [(x, low - 6), (x - 5, low - 6), (x - 5, low - 12)]):
            brush.line(points, (70, 130, 84), 3.4)
        brush.line([(x, low - 8), (x + 5, low - 8), (x + 5, low - 15)], (70, 130, 84), 3)
    for _ in range(8):
        x, y = brush.random.uniform(0, 90), brush.random.uniform(horizon + 12, 94)
        brush.line([(x, y), (x + 8, y - 1)], (200, 130, 70), 1)


def _snow(brush: _Brush, horizon: float) -> None:
    brush.band(0, horizon, brush.tint((202, 214, 230)))
    for _ in range(3):
        x, top, reach = (
            brush.random.uniform(5, 91),
            horizon - brush.random.uniform(18, 32),
            brush.random.uniform(20, 30),
        )
        brush.poly([(x, top), (x - reach, horizon), (x + reach, horizon)], brush.tint((132, 142, 166)))
        brush.poly([(x, top), (x - reach / 3, top + 9), (x, top + 6), (x + reach / 3, top + 9)], (246, 248, 252))
    brush.band(horizon, _SIDE, brush.tint((230, 236, 246), 6))
    for _ in range(46):
        x, y = brush.random.uniform(0, 96), brush.random.uniform(0, 96)
        brush.ellipse(x, y, 1, 1, (255, 255, 255))


def _farm(brush: _Brush, horizon: float) -> None:
    brush.band(0, horizon, brush.tint((176, 220, 248)))
    brush.band(horizon, _SIDE, brush.tint((202, 180, 92)))
    for step in range(-6, 16):
        brush.line([(48 + (step - 5) * 7, horizon), (48 + (step - 5) * 22, 96)], (164, 140, 64), 1.2)
    x = brush.random.choice((brush.random.uniform(2, 14), brush.random.uniform(58, 70)))
    brush.poly([(x, horizon - 16), (x + 6, horizon - 25), (x + 18, horizon - 25), (x + 24, horizon - 16)], (96, 74, 74))
    brush.rect(x, horizon - 16, x + 24, horizon, (176, 84, 74))
    brush.rect(x + 8, horizon - 10, x + 16, horizon, (244, 236, 226))
    brush.line([(x + 8, horizon - 10), (x + 16, horizon)], (176, 84, 74), 1)
    for post in range(0, 100, 8):
        brush.rect(post, horizon - 3, post + 1.4, horizon + 5, (246, 240, 226))
    brush.rect(0, horizon - 1, 96, horizon + 0.6, (246, 240, 226))
    brush.rect(0, horizon + 2.2, 96, horizon + 3.6, (246, 240, 226))


_PLACES: dict[str, Callable[[_Brush, float], None]] = {
    "park": _park,
    "beach": _beach,
    "street": _street,
    "forest": _forest,
    "desert": _desert,
    "snow": _snow,
    "farm": _farm,
}


@cache
def scenery(name: str, texture: int) -> Image.Image:
    """Return the picture of a place in one of its `TEXTURES` variants; it is cached, so modify a copy only."""
    brush = _Brush(name, texture)
    _PLACES[name](brush, 46 + brush.random.uniform(-2, 3))
    return brush.image.resize((_SIDE, _SIDE), Image.Resampling.BOX)
