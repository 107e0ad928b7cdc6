"""Image files: each is read as upright RGB of a known size, or refused with a reason."""

import contextlib
import io
import os
import pickle
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from vlaudit.datasets.images import UnreadableImage, inside, open_image
from vlaudit.errors import RefusedSample

RAMP = np.linspace(0, 255, 12 * 20).reshape(12, 20).astype(np.uint8)
COLORS = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 90)], axis=2)


def saved(folder, picture, name="a.png", **options):
    picture.save(folder / name, **options)
    return folder / name


def pixels_of(path):
    image = open_image(path, "i")
    pixels = image.pixels()
    assert pixels.shape == (image.height, image.width, 3)
    assert pixels.dtype == np.uint8
    return pixels


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_exif_orientation_is_applied_to_size_and_pixels(tmp_path, orientation, name):
    upright = {
        1: COLORS,
        2: COLORS[:, ::-1],
        3: COLORS[::-1, ::-1],
        4: COLORS[::-1],
        5: COLORS.transpose(1, 0, 2),
        6: np.rot90(COLORS, -1),
        7: np.rot90(COLORS, 2).transpose(1, 0, 2),
        8: np.rot90(COLORS),
    }[orientation]
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    options = {"a.jpg": {"quality": 100, "subsampling": 0}, "a.webp": {"lossless": True}}.get(name, {})
    path = saved(tmp_path, Pillow.fromarray(COLORS), name, exif=exif, **options)
    assert np.abs(pixels_of(path).astype(int) - upright).max() <= (4 if name == "a.jpg" else 0)


def test_broken_exif_is_ignored(tmp_path):
    path = saved(tmp_path, Pillow.fromarray(COLORS), "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    assert pixels_of(path).shape == COLORS.shape


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGB"])
def test_plain_modes_are_converted_to_rgb(tmp_path, mode):
    picture = Pillow.fromarray(COLORS).convert(mode)
    np.testing.assert_array_equal(pixels_of(saved(tmp_path, picture)), np.asarray(picture.convert("RGB")))


def test_cmyk_is_converted_to_rgb(tmp_path):
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:, 8:, 0] = 255
    pixels = pixels_of(saved(tmp_path, Pillow.fromarray(inks, "CMYK"), "a.jpg", quality=100)).astype(int)
    assert np.abs(pixels[:, :6] - 255).max() < 8
    assert np.abs(pixels[:, 10:] - (0, 255, 255)).max() < 8


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_are_scaled(tmp_path, name):
    levels = (RAMP.astype(np.uint16) * 257).astype(np.uint16)
    picture = Pillow.fromarray(levels)
    np.testing.assert_array_equal(pixels_of(saved(tmp_path, picture, name))[..., 0], RAMP)


def test_sixteen_bits_of_colour_are_scaled(tmp_path):
    """Pillow cannot write a PNG of three channels with 16 bits, so its bytes are written here."""
    wide = COLORS.astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in wide.astype(">u2"))
    header = struct.pack(">IIBBBBB", 20, 12, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in chunks)
    (tmp_path / "a.png").write_bytes(data)
    assert np.abs(pixels_of(tmp_path / "a.png").astype(int) - COLORS).max() <= 1


def _chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_transparent_pixels_are_white(tmp_path):
    layers = np.dstack([COLORS, np.where(RAMP > 100, 255, 0).astype(np.uint8)])
    pixels = pixels_of(saved(tmp_path, Pillow.fromarray(layers)))
    np.testing.assert_array_equal(pixels[RAMP <= 100], 255)
    np.testing.assert_array_equal(pixels[RAMP > 100], COLORS[RAMP > 100])


def test_a_transparent_palette_colour_is_white(tmp_path):
    picture = Pillow.fromarray((RAMP > 100).astype(np.uint8), "P")
    picture.putpalette([9, 9, 9, 200, 0, 0])
    pixels = pixels_of(saved(tmp_path, picture, "a.gif", transparency=0))
    np.testing.assert_array_equal(pixels[RAMP <= 100], 255)
    np.testing.assert_array_equal(pixels[RAMP > 100], np.broadcast_to((200, 0, 0), COLORS.shape)[RAMP > 100])


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_animated_files_are_refused(tmp_path, name):
    frames = [Pillow.fromarray(COLORS), Pillow.fromarray(255 - COLORS)]
    path = saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:])
    with pytest.raises(UnreadableImage, match=r"animated or multi-page image \(2 frames\)"):
        open_image(path, "i")


def test_the_preview_of_a_jpeg_is_ignored(tmp_path):
    first = Pillow.fromarray(COLORS)
    path = saved(tmp_path, first, "a.mpo", save_all=True, append_images=[Pillow.fromarray(255 - COLORS)], quality=95)
    assert np.abs(pixels_of(path.rename(tmp_path / "a.jpg")).astype(int) - COLORS).mean() < 20


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.bmp", "a.gif", "a.tif"])
def test_a_truncated_file_is_refused_at_opening(tmp_path, name):
    """All formats except JPEG are decoded when opened."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    path = saved(tmp_path, Pillow.fromarray(noise), name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableImage, match=r"cannot be decoded: |not an image"):
        open_image(path, "i")


def test_a_truncated_jpeg_is_refused_at_reading(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    path = saved(tmp_path, Pillow.fromarray(noise), "a.jpg")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    image = open_image(path, "coco-5")
    with pytest.raises(RefusedSample, match=r"coco-5: a\.jpg: cannot be decoded: .*truncated"):
        image.pixels()


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\xff\xd8\xff"]
)
def test_other_files_are_refused(tmp_path, content):
    """PostScript is a program and must not be executed."""
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"not an image in a supported format|cannot be decoded"):
        open_image(tmp_path / "a.jpg", "i")


def test_a_decompression_bomb_is_refused(tmp_path):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + _chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(UnreadableImage, match="more than 89478485 pixels"):
        open_image(tmp_path / "a.png", "i")


def test_a_somewhat_too_large_image_is_refused_without_a_warning(tmp_path):
    """Pillow only warns up to twice its limit."""
    header = struct.pack(">IIBBBBB", 10000, 10000, 1, 0, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", b"") + _chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(UnreadableImage, match="the image has 10000 x 10000 pixels, more than 89478485"):
        open_image(tmp_path / "a.png", "i")


def test_pixel_values_without_a_range_are_refused(tmp_path):
    path = saved(tmp_path, Pillow.fromarray(RAMP.astype(np.float32)), "a.tif")
    with pytest.raises(UnreadableImage, match=r"pixel values have no defined range \(mode F\)"):
        open_image(path, "i")


def test_missing_files_folders_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("none.jpg", ".", "pipe.jpg"):
        with pytest.raises(UnreadableImage, match="the file does not exist"):
            open_image(tmp_path / name, "i")


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "/etc/hostname", "C:\\a.png", "\\a.png", "..\\a.png"])
def test_a_path_outside_the_folder_is_refused(tmp_path, name):
    with pytest.raises(UnreadableImage, match="the path is outside the image folder"):
        inside(tmp_path, name)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    saved(tmp_path, Pillow.fromarray(COLORS), "outside.png")
    saved(folder, Pillow.fromarray(COLORS), "a.png")
    (folder / "out.png").symlink_to(tmp_path / "outside.png")
    (folder / "in.png").symlink_to(folder / "a.png")
    with pytest.raises(UnreadableImage, match="a link out of the image folder"):
        inside(folder, "out.png")
    assert inside(folder, "in.png").is_file()


def test_equal_files_have_equal_keys_and_can_be_pickled(tmp_path):
    first = open_image(saved(tmp_path, Pillow.fromarray(COLORS), "a.png"), "one")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    second = open_image(tmp_path / "b.png", "two")
    assert first.key == second.key
    sent = pickle.loads(pickle.dumps(first))  # noqa: S301 - we wrote it the moment before
    np.testing.assert_array_equal(sent.pixels(), COLORS)


def test_corrupted_files_are_read_or_refused(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.jpg", "a.png", "a.webp", "a.gif", "a.tif", "a.bmp", "a.ppm"):
        buffer = io.BytesIO()
        Pillow.fromarray(COLORS).save(buffer, Pillow.registered_extensions()[name[1:]])
        for _ in range(60):
            broken = np.frombuffer(buffer.getvalue(), np.uint8).copy()
            broken[rng.integers(len(broken), size=4)] = rng.integers(256, size=4)
            (tmp_path / name).write_bytes(broken.tobytes())
            with contextlib.suppress(UnreadableImage, RefusedSample):
                pixels_of(tmp_path / name)
