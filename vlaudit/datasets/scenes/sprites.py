"""Sprites of animals, vehicles and furniture, anchored at the bottom centre and facing right."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from vlaudit.datasets.scenes.pen import INK, Color, Pen, Sprite, contrast, paint

COATS: tuple[Color, ...] = ((214, 174, 124), (150, 150, 158), (236, 224, 198), (96, 84, 80))
GLASS: Color = (190, 226, 245)
TIRE: Color = (40, 40, 44)
WOOD: Color = (206, 160, 104)


def _dog(pen: Pen, fill: Color) -> None:
    pen.limb([(-11, -14), (-16, -22)], fill, 2.6)
    for x in (-10, -6, 5, 9):
        pen.rect(x - 1.8, -9, x + 1.8, 0, fill)
    pen.rect(-12, -16, 11, -7, fill, round_by=4)
    pen.ellipse(12, -19, 6, 5.6, fill)
    pen.rect(13, -19.5, 20, -14.5, fill, round_by=2)
    pen.ellipse(19.4, -18.6, 1.5, 1.4, INK, None)
    pen.ellipse(8, -18, 2.6, 5.6, contrast(fill) if sum(fill) < 300 else (90, 62, 44))
    pen.ellipse(13.6, -20.6, 1.1, 1.2, INK if sum(fill) > 300 else (240, 240, 240), None)


def _cat(pen: Pen, fill: Color) -> None:
    pen.arc(-9, -8, 7, 9, 60, 270, INK, 4)
    pen.arc(-9, -8, 6.4, 8.4, 62, 268, fill, 2.6)
    pen.ellipse(0, -8, 8.4, 8.6, fill)
    for side in (-1, 1):
        pen.poly([(side * 8, -17), (side * 8, -28), (side * 1.4, -22)], fill)
    pen.ellipse(0, -17.6, 8.6, 7, fill)
    light = (120, 200, 90)
    for side in (-1, 1):
        pen.ellipse(side * 3.4, -18.6, 1.8, 2, light)
        pen.line([(side * 4, -14.6), (side * 10.6, -15.4 - side * 0)], contrast(fill), 0.6)
    pen.poly([(-1.4, -15.6), (1.4, -15.6), (0, -14)], (230, 120, 140))
    for side in (-1, 1):
        pen.ellipse(side * 3.6, -1.8, 3, 1.9, fill)


def _horse(pen: Pen, fill: Color) -> None:
    mane = (60, 44, 38) if sum(fill) > 300 else (225, 215, 200)
    pen.limb([(-14, -20), (-18, -14), (-18, -7)], mane, 2.6)
    for x in (-12.0, -7.5, 6.0, 10.5):
        pen.rect(x - 1.8, -14, x + 1.8, 0, fill)
        pen.rect(x - 2, -2.6, x + 2, 0.2, INK, None)
    pen.rect(-15, -23, 13, -11, fill, round_by=5)
    pen.poly([(5, -20), (12, -35), (18, -34), (14, -14)], fill)
    pen.poly([(11, -37.5), (16, -38), (24, -29), (21.5, -25.6), (13, -30)], fill)
    pen.poly([(12, -38), (13.6, -42), (15.6, -37.4)], fill)
    pen.line([(11.4, -37), (8, -30), (4.6, -22)], mane, 3.4)
    pen.ellipse(16.6, -34, 1.1, 1.2, INK if sum(fill) > 300 else (240, 240, 240), None)


def _cow(pen: Pen, fill: Color) -> None:
    spot = (70, 54, 50) if sum(fill) > 400 else (245, 242, 235)
    pen.line([(-15, -21), (-18.4, -18), (-18.4, -9)], INK, 1.5)
    for x in (-12.0, -7.5, 6.0, 10.5):
        pen.rect(x - 2.2, -9, x + 2.2, 0, fill)
    pen.ellipse(-3, -7.4, 4.4, 3, (245, 170, 180))
    pen.rect(-16, -24, 13, -8, fill, round_by=3)
    pen.ellipse(-8, -18, 5.4, 4.6, spot, None)
    pen.ellipse(4.6, -13.6, 4.6, 3.6, spot, None)
    for side in (-1, 1):
        pen.line([(17 + side * 4, -28), (17 + side * 7, -33.4)], (250, 245, 225), 2.4)
        pen.line([(17 + side * 4.6, -28), (17 + side * 8.4, -32.4)], INK, 0.8)
    pen.rect(11.4, -29, 22.6, -16, fill, round_by=2)
    pen.rect(11, -19.4, 23, -13.6, (245, 170, 180), round_by=2.4)
    for x in (14.4, 19.6):
        pen.ellipse(x, -24.6, 1.2, 1.3, INK if sum(fill) > 300 else (245, 245, 245), None)
        pen.ellipse(x, -16.6, 0.9, 0.9, INK, None)


def _sheep(pen: Pen, fill: Color) -> None:
    face: Color = (58, 50, 50)
    wool: Color = tuple(min(255, 130 + level // 2) for level in fill)  # type: ignore[assignment]  # three levels in, three out
    for x in (-8.0, -4.0, 5.0, 9.0):
        pen.rect(x - 1.6, -8, x + 1.6, 0, face)
    bumps = ((-10, -12), (-10, -18), (-3, -21.6), (4, -21), (9, -17), (8.6, -11), (1, -8.8), (-5, -8.8))
    for x, y in bumps:
        pen.ellipse(x, y, 5, 4.8, wool)
    pen.ellipse(-0.6, -14.8, 10.6, 7.6, wool, None)
    pen.ellipse(14, -18, 4.4, 6.2, face)
    pen.ellipse(9.4, -21, 3.2, 1.8, face)
    pen.ellipse(12.8, -24, 4.6, 3, wool)
    pen.ellipse(15, -18.6, 1.1, 1.2, (250, 250, 250), None)


def _bird(pen: Pen, fill: Color) -> None:
    for x in (-1.4, 4.0):
        pen.line([(x, -9), (x, -0.8), (x + 3, -0.8)], (214, 120, 30), 1.4)
    pen.poly([(-8, -17), (-20, -15), (-18, -10.6), (-7, -10)], fill)
    pen.ellipse(0, -14, 10.6, 7.4, fill)
    pen.ellipse(8.6, -21.4, 6, 5.6, fill)
    pen.poly([(13.4, -23.4), (21.6, -20.4), (13.4, -18.4)], (240, 150, 30))
    pen.pie(-2.6, -15.6, 7.4, 6.4, 0, 180, contrast(fill) if sum(fill) < 300 else (96, 84, 80))
    pen.ellipse(10, -22.6, 1.2, 1.3, INK if sum(fill) > 300 else (245, 245, 245), None)


def _rabbit(pen: Pen, fill: Color) -> None:
    for x, lean in ((2.4, -2.6), (8, 1.6)):
        pen.poly([(x - 1.8, -20), (x + lean - 2.4, -33), (x + lean + 2, -33.4), (x + 2, -20)], fill)
        pen.line([(x, -22), (x + lean, -31)], (240, 150, 170), 1.3)
    pen.ellipse(-10.6, -6, 3.6, 3.6, (250, 250, 250))
    pen.ellipse(-2, -8, 9.6, 8, fill)
    pen.ellipse(5.4, -16, 6.6, 6, fill)
    pen.ellipse(7.6, -17.4, 1.2, 1.3, INK if sum(fill) > 300 else (245, 245, 245), None)
    pen.ellipse(11.4, -15, 1.2, 1, (240, 120, 150), None)
    pen.ellipse(6, -2, 4, 2.2, fill)
    pen.ellipse(-5, -2, 5.4, 2.4, fill)


def _turtle(pen: Pen, fill: Color) -> None:
    skin: Color = (150, 178, 96)
    for x in (-10.0, 7.0):
        pen.rect(x - 2.8, -6, x + 2.8, 0, skin, round_by=1.4)
    pen.poly([(-14, -6), (-20, -3), (-13, -3)], skin)
    pen.limb([(11, -7), (17, -11)], skin, 4.4)
    pen.ellipse(18.4, -12.4, 4.4, 3.8, skin)
    pen.pie(-1, -4.6, 14.6, 14, 180, 360, fill)
    for x in (-7.4, 5.4):
        pen.line([(x, -5), (x * 0.6, -16)], contrast(fill), 1)
    pen.line([(-12, -9.6), (10.4, -9.6)], contrast(fill), 1)
    pen.ellipse(19.6, -13.2, 1, 1, INK, None)


ANIMALS: dict[str, Callable[[Pen, Color], None]] = {
    "dog": _dog,
    "cat": _cat,
    "horse": _horse,
    "cow": _cow,
    "sheep": _sheep,
    "bird": _bird,
    "rabbit": _rabbit,
    "turtle": _turtle,
}


def _wheels(pen: Pen, centers: tuple[float, ...], radius: float) -> None:
    for x in centers:
        pen.ellipse(x, -radius, radius, radius, TIRE)
        pen.ellipse(x, -radius, radius * 0.42, radius * 0.42, (200, 200, 205), None)


def _car(pen: Pen, fill: Color) -> None:
    pen.poly([(-12, -10), (-7, -18), (6, -18), (13, -10)], fill)
    pen.poly([(-9.4, -10.6), (-6, -16.2), (-1, -16.2), (-1, -10.6)], GLASS)
    pen.poly([(1, -10.6), (1, -16.2), (5, -16.2), (9.8, -10.6)], GLASS)
    pen.rect(-19, -11, 19, -3.4, fill, round_by=2.6)
    pen.ellipse(17.6, -8, 1.3, 1.5, (255, 240, 150), None)
    _wheels(pen, (-11, 11), 4.4)


def _bus(pen: Pen, fill: Color) -> None:
    pen.rect(-20, -24, 20, -3, fill, round_by=2.4)
    for left in (-17.6, -9.6, -1.6, 6.4):
        pen.rect(left, -21, left + 6.4, -13.6, GLASS)
    pen.rect(14.4, -21, 19.2, -10, GLASS)
    pen.line([(-18, -9.4), (13, -9.4)], contrast(fill), 1.1)
    _wheels(pen, (-12, 12), 4)


def _truck(pen: Pen, fill: Color) -> None:
    pen.rect(-20, -25, 5, -5, (232, 232, 236))
    for x in (-14, -8, -2):
        pen.line([(x, -23), (x, -7)], (150, 150, 156), 0.8)
    pen.poly([(7, -18), (14.6, -18), (20, -10.6), (20, -4), (7, -4)], fill)
    pen.poly([(9.4, -16), (13.8, -16), (17.6, -10.4), (9.4, -10.4)], GLASS)
    pen.rect(-20, -7.4, 20, -4, fill)
    _wheels(pen, (-14, -5, 13.4), 4.2)


def _bicycle(pen: Pen, fill: Color) -> None:
    for x in (-11, 11):
        pen.ellipse(x, -8, 8, 8, None, TIRE, 1.8)
    for width, ink in ((4, INK), (2.5, fill)):
        pen.line([(-11, -8), (-5, -18), (7, -18), (0, -8), (-11, -8)], ink, width)
        pen.line([(-5, -18), (0, -8)], ink, width)
        pen.line([(11, -8), (6, -22)], ink, width)
    pen.rect(-9, -21.6, -1.6, -18.6, TIRE, round_by=1)
    pen.line([(6, -22.6), (11, -23.4)], INK, 2)


def _plane(pen: Pen, fill: Color) -> None:
    pen.poly([(-19, -19), (-13, -19), (-9, -10), (-17, -10)], fill)
    pen.ellipse(0, -9, 20, 4.6, fill)
    pen.poly([(-1, -9), (6, -9), (-5, 0), (-11, 0)], fill)
    pen.poly([(0, -12), (5, -12), (-2, -18), (-6, -18)], fill)
    for x in (-8, -3, 8, 12):
        pen.ellipse(x, -10.4, 1.2, 1.2, GLASS)


def _tractor(pen: Pen, fill: Color) -> None:
    pen.line([(11, -14), (11, -22)], INK, 2.2)
    pen.rect(-3, -15.6, 16, -6, fill, round_by=1.6)
    pen.rect(-13, -26, 2, -23, fill, round_by=1)
    pen.rect(-11, -23.4, 0, -11, GLASS)
    pen.line([(12, -12), (12, -8)], contrast(fill), 1)
    pen.line([(8.6, -12), (8.6, -8)], contrast(fill), 1)
    _wheels(pen, (-8,), 9)
    _wheels(pen, (11.6,), 5)


VEHICLES: dict[str, Callable[[Pen, Color], None]] = {
    "car": _car,
    "bus": _bus,
    "truck": _truck,
    "bicycle": _bicycle,
    "plane": _plane,
    "tractor": _tractor,
}


def _turned(sprite: Sprite, facing: str) -> Sprite:
    image = sprite.image
    centered = Sprite(image, -(image.width // 2), -image.height)
    return centered if facing == "right" else centered.flipped()


@cache
def animal(kind: str, look: int, facing: str, scale: float) -> Sprite:
    """Draw an animal in one of four coat colours, which captions never mention."""
    pen = Pen(-28, -46, 28, 4)
    ANIMALS[kind](pen, COATS[look % 4])
    return _turned(pen.sprite(scale), facing)


@cache
def vehicle(kind: str, color: str, look: int, facing: str) -> Sprite:
    """Draw a vehicle."""
    pen = Pen(-28, -34, 28, 4)
    VEHICLES[kind](pen, paint(color, look))
    return _turned(pen.sprite(), facing)


@cache
def furniture(kind: str) -> Sprite:
    """Draw a table or a bench."""
    pen = Pen(-28, -40, 28, 4)
    if kind == "table":
        for x in (-14.6, 14.6):
            pen.rect(x - 1.6, -19, x + 1.6, 0, WOOD)
        pen.rect(-18, -23, 18, -19, WOOD, round_by=1)
    else:
        for x in (-14.6, 14.6):
            pen.rect(x - 1.4, -32, x + 1.4, 0, WOOD)
        for y in (-32, -26):
            pen.rect(-17, y, 17, y + 3.6, WOOD, round_by=1)
        pen.rect(-18, -19, 18, -15.6, WOOD, round_by=1)
    return pen.sprite()


@cache
def cloth(color: str, look: int) -> Sprite:
    """Draw a cloth over a table."""
    pen, fill = Pen(-28, -40, 28, 4), paint(color, look)
    edge = [(19.0 - step * 4.75, -9.0 if step % 2 else -12.0) for step in range(9)]
    pen.poly([(-19, -24), (19, -24), *edge], fill)
    pen.line([(-17, -19.6), (17, -19.6)], contrast(fill), 0.8)
    return pen.sprite()
