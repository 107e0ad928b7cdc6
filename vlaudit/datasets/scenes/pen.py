"""Drawing of sprites from outlined shapes, at four times the size and then reduced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

SCALE = 4
Color = tuple[int, int, int]
Point = tuple[float, float]

INK: Color = (24, 24, 30)
PALETTE: dict[str, tuple[Color, Color]] = {
    "red": ((218, 36, 36), (196, 24, 40)),
    "yellow": ((252, 220, 44), (240, 204, 20)),
    "green": ((36, 160, 60), (28, 136, 48)),
    "blue": ((36, 92, 220), (28, 72, 190)),
    "purple": ((136, 52, 176), (112, 40, 152)),
    "pink": ((252, 150, 196), (244, 128, 180)),
    "black": ((44, 44, 50), (30, 30, 34)),
    "white": ((252, 252, 252), (238, 238, 242)),
    "brown": ((136, 84, 42), (116, 70, 34)),
}


def paint(color: str, look: int) -> Color:
    """Return the RGB values of a colour word in one of its two shades."""
    return PALETTE[color][look % 2]


def contrast(color: Color) -> Color:
    """Return a colour for details with sufficient contrast to this colour."""
    return (225, 225, 230) if sum(color) < 260 else INK


class Sprite(NamedTuple):
    """An RGBA picture with the position of its top left corner relative to its anchor, in pixels."""

    image: Image.Image
    left: int
    top: int

    @property
    def right(self) -> int:
        """Half-open right edge relative to the anchor."""
        return self.left + self.image.width

    @property
    def bottom(self) -> int:
        """Half-open bottom edge relative to the anchor."""
        return self.top + self.image.height

    def flipped(self) -> Sprite:
        """Return the sprite mirrored about its anchor."""
        return Sprite(self.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), -self.right, self.top)


class Pen:
    """Canvas for outlined shapes, in pixels relative to an anchor, at four times the size."""

    def __init__(self, left: int, top: int, right: int, bottom: int) -> None:
        self._left, self._top = left, top
        self._image = Image.new("RGBA", ((right - left) * SCALE, (bottom - top) * SCALE), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._image)

    def _at(self, x: float, y: float) -> Point:
        return (x - self._left) * SCALE, (y - self._top) * SCALE

    def _edge(self, width: float) -> int:
        return max(1, round(width * SCALE))

    def ellipse(  # noqa: PLR0917 - coordinates are positional, as in every drawing library
        self, x: float, y: float, rx: float, ry: float, fill: Color | None, ink: Color | None = INK, edge: float = 0.9
    ) -> None:
        """Draw an ellipse around (x, y)."""
        bounds = [self._at(x - rx, y - ry), self._at(x + rx, y + ry)]
        self._draw.ellipse(bounds, fill=fill, outline=ink, width=self._edge(edge) if ink else 0)

    def pie(  # noqa: PLR0917 - coordinates are positional, as in every drawing library
        self, x: float, y: float, rx: float, ry: float, start: float, end: float, fill: Color, ink: Color | None = INK
    ) -> None:
        """Draw a slice of an ellipse, in degrees clockwise from the right."""
        bounds = [self._at(x - rx, y - ry), self._at(x + rx, y + ry)]
        self._draw.chord(bounds, start, end, fill=fill, outline=ink, width=self._edge(0.9) if ink else 0)

    def arc(  # noqa: PLR0917 - coordinates are positional, as in every drawing library
        self, x: float, y: float, rx: float, ry: float, start: float, end: float, ink: Color, edge: float
    ) -> None:
        """Draw an arc, in degrees clockwise from the right."""
        bounds = [self._at(x - rx, y - ry), self._at(x + rx, y + ry)]
        self._draw.arc(bounds, start, end, fill=ink, width=self._edge(edge))

    def rect(  # noqa: PLR0917 - coordinates are positional, as in every drawing library
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        fill: Color,
        ink: Color | None = INK,
        round_by: float = 0,
    ) -> None:
        """Draw a rectangle with corners of radius `round_by`."""
        bounds = [self._at(left, top), self._at(right, bottom)]
        self._draw.rounded_rectangle(
            bounds, round_by * SCALE, fill=fill, outline=ink, width=self._edge(0.9) if ink else 0
        )

    def poly(self, points: Sequence[Point], fill: Color, ink: Color | None = INK, edge: float = 0.9) -> None:
        """Draw a polygon."""
        corners = [self._at(*point) for point in points]
        self._draw.polygon(corners, fill=fill)
        if ink:
            self._draw.line([*corners, corners[0]], fill=ink, width=self._edge(edge), joint="curve")

    def line(self, points: Sequence[Point], ink: Color, width: float) -> None:
        """Draw a line with round joints and ends."""
        corners = [self._at(*point) for point in points]
        self._draw.line(corners, fill=ink, width=self._edge(width), joint="curve")
        reach = width * SCALE / 2
        for x, y in (corners[0], corners[-1]):
            self._draw.ellipse([(x - reach, y - reach), (x + reach, y + reach)], fill=ink)

    def limb(self, points: Sequence[Point], fill: Color, width: float) -> None:
        """Draw a line with an outline."""
        self.line(points, INK, width + 1.6)
        self.line(points, fill, width)

    def sprite(self, scale: float = 1.0, film: int = 40) -> Sprite:
        """Reduce the drawing to pixels and crop it to the visible part; alpha values below `film` become 0."""
        anchor = -self._left * scale, -self._top * scale
        width, height = (max(1, round(side * scale / SCALE)) for side in self._image.size)
        image = self._image.resize((width, height), Image.Resampling.BOX)
        # nearly transparent pixels around the outline would enlarge the box without being visible
        alpha = image.getchannel("A").point([0 if level < film else level for level in range(256)])
        image.putalpha(alpha)
        bounds = alpha.getbbox() or (0, 0, 1, 1)
        return Sprite(image.crop(bounds), bounds[0] - round(anchor[0]), bounds[1] - round(anchor[1]))
