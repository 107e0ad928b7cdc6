"""The sheet that shows scenes next to their perturbations."""

import numpy as np
import pytest
from PIL import Image

from vlaudit.datasets.scenes import Scenes
from vlaudit.errors import UsageError
from vlaudit.reporting.contact_sheet import draw_sheet, save
from vlaudit.reporting.sheet_layout import CHANGED, Cell, Frame, Paragraph, Run, lay_out
from vlaudit.samples import Box


def test_a_row_shows_a_scene_and_is_equal_however_often_it_is_drawn():
    pool = Scenes(0, 100)
    sheet = draw_sheet(pool, 1)
    assert sheet.tobytes() == draw_sheet(pool, 1).tobytes()
    assert sheet.width > 8 * 288
    assert draw_sheet(pool, 2).height > 1.8 * sheet.height


def test_a_picture_is_enlarged_threefold_with_its_frames_outside_the_pixels_they_frame():
    drawn = next(iter(Scenes(0, 1)))
    box = Box(30, 40, 60, 80)
    plain = np.asarray(lay_out([[Cell("", drawn)]]))
    framed = np.asarray(lay_out([[Cell("", drawn, (), (Frame(box, CHANGED, "label"),))]]))
    pixels = np.kron(drawn.image.pixels(), np.ones((3, 3, 1), dtype=np.uint8))
    top, left = np.argwhere((plain != 255).any(axis=2)).min(axis=0)
    np.testing.assert_array_equal(plain[top : top + 288, left : left + 288], pixels)
    inside = framed[top + 40 * 3 + 2 : top + 80 * 3 - 2, left + 30 * 3 + 2 : left + 60 * 3 - 2]
    np.testing.assert_array_equal(inside, pixels[40 * 3 + 2 : 80 * 3 - 2, 30 * 3 + 2 : 60 * 3 - 2])
    assert tuple(framed[top + 40 * 3, left + 59 * 3]) == CHANGED


def test_long_words_below_a_picture_make_the_row_higher():
    short, long = (
        lay_out([[Cell("", None, (Paragraph(tuple(Run("word") for _ in range(count))),))]]) for count in (3, 90)
    )
    assert long.height > short.height
    assert long.width == short.width


def test_a_sheet_that_cannot_be_drawn_says_why():
    with pytest.raises(UsageError, match="rows must be 1 or more, got 0"):
        draw_sheet(Scenes(0, 2), 0)
    with pytest.raises(UsageError, match="none of the samples"):
        draw_sheet([], 1)


def test_a_sheet_is_written_whole_or_not_at_all(tmp_path):
    sheet = Image.new("RGB", (4, 4))
    save(sheet, tmp_path / "new" / "sheet.png")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["sheet.png"]
    with pytest.raises(UsageError, match="cannot be written to"):
        save(sheet, tmp_path / "new" / "sheet.png" / "no folder")
    with pytest.raises(UsageError, match="cannot be written to"):
        save(sheet, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
