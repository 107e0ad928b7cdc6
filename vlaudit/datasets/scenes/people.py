"""Sprites of the parts and clothes of people, anchored at the point between their feet."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from vlaudit.datasets.scenes.pen import INK, Color, Pen, Point, Sprite, contrast, paint


class Build(NamedTuple):
    """Heights above the ground (negative is up) and half widths, in pixels."""

    head: float
    radius: float
    shoulder: float
    hip: float
    half: float


ADULT = Build(-49.5, 8.0, -41, -21, 8)
CHILD = Build(-34.5, 7.5, -26.5, -13, 6.5)
SKIN: tuple[Color, ...] = ((255, 220, 190), (240, 190, 150), (190, 130, 90), (120, 78, 52))
HAIR: dict[str, Color] = {
    "black": (36, 32, 34),
    "brown": (120, 70, 36),
    "blond": (240, 208, 110),
    "gray": (168, 168, 174),
}
TROUSERS: Color = (70, 76, 110)


def build_of(kind: str) -> Build:
    """Return the body measurements of a kind of person."""
    return ADULT if kind in ("man", "woman") else CHILD


def _pen() -> Pen:
    return Pen(-36, -72, 36, 3)


def hand_point(kind: str, hand: str, pose: str) -> Point:
    """Return the position of a hand; the person's left hand is on the right of the image."""
    build, side = build_of(kind), 1 if hand == "left" else -1
    if pose == "holding":
        return side * (build.half + 7), build.shoulder + 9
    if pose == "eating":
        return side * (build.half + 6), build.shoulder + 1
    return side * (build.half + 3), build.hip + 0.5


@cache
def legs(kind: str) -> Sprite:
    """Draw the legs."""
    build, pen = build_of(kind), _pen()
    for side in (-1, 1):
        pen.rect(side * 3.4 - 3.4, build.hip - 2, side * 3.4 + 3.4, 0, TROUSERS)
        pen.rect(side * 4 - 4, -2.6, side * 4 + 4, 0.6, (60, 45, 40), round_by=1)
    return pen.sprite()


@cache
def leg_over(kind: str) -> Sprite:
    """Draw the visible leg of a rider."""
    build, pen = build_of(kind), _pen()
    pen.limb([(1, build.hip - 1), (2, build.hip + 12)], TROUSERS, 5)
    pen.rect(-1, build.hip + 11, 7, build.hip + 14.5, (60, 45, 40), round_by=1)
    return pen.sprite()


@cache
def top(kind: str, garment: str, color: str, look: int) -> Sprite:
    """Draw a shirt, a coat (open, with buttons) or a robe (down to the feet)."""
    build, pen, fill = build_of(kind), _pen(), paint(color, look)
    up, half = build.shoulder, build.half
    if garment == "shirt":
        pen.rect(-half, up - 0.5, half, build.hip + 1, fill, round_by=2)
    elif garment == "coat":
        low = build.hip * 0.42
        pen.poly([(-half, up), (half, up), (half + 2.5, low), (-half - 2.5, low)], fill)
        pen.poly([(-3.4, up), (3.4, up), (0, up + 7)], (235, 235, 235))
        pen.line([(0, up + 7), (0, low)], contrast(fill), 0.9)
        for step in range(3):
            pen.ellipse(2.6, up + 9.5 + step * (low - up - 11) / 2.4, 0.9, 0.9, contrast(fill), None)
    else:
        pen.poly([(-half + 1, up), (half - 1, up), (half + 5, -1), (-half - 5, -1)], fill)
        belt = (up + build.hip) / 2 + 3
        pen.rect(-half - 0.6, belt, half + 0.6, belt + 3, contrast(fill), None)
    return pen.sprite()


@cache
def arm(kind: str, hand: str, pose: str, garment: str, color: str, *, look: int, skin: int) -> Sprite:
    """Draw an arm from shoulder to hand: skin below a shirt's short sleeve, cloth down to the hand otherwise."""
    points, pen = _arm_points(kind, hand, pose), _pen()
    if garment == "shirt":
        pen.limb(points, SKIN[skin], 3.2)
        pen.limb(_sleeve_points(points), paint(color, look), 4.6)
    else:
        pen.limb(points, paint(color, look), 4.2)
    return pen.sprite()


@cache
def short_sleeve(kind: str, hand: str, pose: str) -> Sprite:
    """Draw the extent of the short sleeve of `arm`, including partially covered pixels."""
    pen = _pen()
    pen.limb(_sleeve_points(_arm_points(kind, hand, pose)), INK, 4.6)
    return pen.sprite(film=0)


def _arm_points(kind: str, hand: str, pose: str) -> list[Point]:
    build, side = build_of(kind), 1 if hand == "left" else -1
    start, end = (side * (build.half - 1.5), build.shoulder + 2.5), hand_point(kind, hand, pose)
    bend = (side * (build.half + 5.5), build.shoulder + 9)
    return [start, bend, end] if pose == "eating" else [start, end]


def _sleeve_points(arm: list[Point]) -> list[Point]:
    (x, y), (toward_x, toward_y) = arm[:2]
    return [(x, y), (x * 0.62 + toward_x * 0.38, y * 0.62 + toward_y * 0.38)]


@cache
def hand_sprite(kind: str, hand: str, pose: str, skin: int) -> Sprite:
    """Draw a hand."""
    pen = _pen()
    x, y = hand_point(kind, hand, pose)
    pen.ellipse(x, y, 2.8, 2.8, SKIN[skin])
    return pen.sprite()


@cache
def head(kind: str, skin: int) -> Sprite:
    """Draw head and face."""
    build, pen = build_of(kind), _pen()
    y, radius = build.head, build.radius
    pen.rect(-2.4, y + radius - 2, 2.4, build.shoulder + 1, SKIN[skin])
    pen.ellipse(0, y, radius, radius, SKIN[skin])
    for side in (-1, 1):
        pen.ellipse(side * 2.9, y + 0.6, 1.1, 1.3, INK, None)
    if kind != "man":
        pen.arc(0, y + 2.2, 2.8, 2.4, 20, 160, (190, 50, 60), 1.1)
    return pen.sprite()


@cache
def hair_behind(kind: str, hair: str) -> Sprite | None:
    """Draw the hair behind the head: long for a woman, two bunches for a girl."""
    build, pen = build_of(kind), _pen()
    if kind == "woman":
        pen.rect(-11, build.head - 6, 11, build.shoulder + 8, HAIR[hair], round_by=5)
    elif kind == "girl":
        for side in (-1, 1):
            pen.ellipse(side * 10.5, build.head + 1.5, 4.4, 5.6, HAIR[hair])
    else:
        return None
    return pen.sprite()


@cache
def hair_before(kind: str, hair: str) -> Sprite:
    """Draw the hair over the forehead, and a man's beard."""
    build, pen, fill = build_of(kind), _pen(), HAIR[hair]
    y, radius = build.head, build.radius
    if kind == "man":
        pen.pie(0, y, radius + 0.4, radius + 0.6, 195, 345, fill)
        pen.pie(0, y, radius + 0.2, radius + 1.6, 18, 162, fill)
        pen.ellipse(0, y + 4.6, 2.2, 1.1, (200, 90, 90), None)
    elif kind == "boy":
        pen.pie(0, y, radius + 0.8, radius + 1.4, 180, 360, fill)
        pen.rect(-radius, y - 4, radius, y - 1.6, fill, None)
    else:
        pen.pie(0, y, radius + 0.6, radius + 0.8, 188, 352, fill)
    return pen.sprite()


@cache
def headwear(kind: str, garment: str, color: str, look: int) -> Sprite:
    """Draw a hat (wide brim), a cap (visor to the side) or a crown (points)."""
    build, pen, fill = build_of(kind), _pen(), paint(color, look)
    brow = build.head - build.radius * 0.42
    if garment == "hat":
        pen.rect(-7, brow - 10, 7, brow, fill, round_by=2)
        pen.rect(-14, brow - 2.2, 14, brow + 1.4, fill, round_by=1.6)
        pen.rect(-6.4, brow - 4.6, 6.4, brow - 2.4, contrast(fill), None)
    elif garment == "cap":
        pen.pie(0, brow + 1.4, build.radius + 1, 10, 180, 360, fill)
        pen.rect(2, brow - 1.4, build.radius + 9, brow + 1.8, fill, round_by=1.4)
        pen.ellipse(0, brow - 8.4, 1.4, 1.2, contrast(fill), None)
    else:
        low, high, half = brow + 0.6, brow - 9.5, build.radius
        points = [(-half, low), (-half - 1, high), (-half / 2, low - 4.6), (0, high - 1)]
        points += [(half / 2, low - 4.6), (half + 1, high), (half, low)]
        pen.poly(points, fill)
        for x in (-4.2, 0, 4.2):
            pen.ellipse(x, low - 2.2, 1.0, 1.0, contrast(fill), None)
    return pen.sprite()


@cache
def scarf(kind: str, color: str, look: int) -> Sprite:
    """Draw a scarf around the neck with one end hanging down."""
    build, pen, fill = build_of(kind), _pen(), paint(color, look)
    up = build.shoulder
    pen.rect(-5.6, up + 1, 0, up + 14, fill, round_by=1)
    pen.line([(-4.4, up + 11), (-1.2, up + 11)], contrast(fill), 0.8)
    pen.rect(-7.6, up - 2.6, 7.6, up + 3.4, fill, round_by=2.6)
    return pen.sprite()
