"""Pictures of every kind, and files that are none."""

import numpy as np
import pytest
from broken_images import BROKEN
from PIL import Image

from prompt_ensemble.core.errors import BadConfig, DuplicateImageId, UnreadableImage
from prompt_ensemble.images.decode import decode_image, load_image
from prompt_ensemble.images.find import find_images

RED = (200, 10, 20)


def save(image, path, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **how)
    return path


def test_a_tree_of_folders_gives_stems_in_sorted_order(tmp_path):
    picture = Image.new("RGB", (4, 4))
    for name in ("images/b.png", "a.jpg", "deep/er/c.webp"):
        save(picture, tmp_path / name)
    (tmp_path / "prompts.csv").write_text("imgId,prompt\n")
    assert [file.image_id for file in find_images([tmp_path])] == ["a", "b", "c"]


def test_hidden_files_and_folders_are_no_images(tmp_path):
    picture = Image.new("RGB", (4, 4))
    save(picture, tmp_path / "a.png")
    save(picture, tmp_path / "._a.png")
    save(picture, tmp_path / ".trash/b.png")
    assert [file.image_id for file in find_images([tmp_path])] == ["a"]


def test_a_file_may_be_named_twice_but_is_one_image(tmp_path):
    path = save(Image.new("RGB", (4, 4)), tmp_path / "a.png")
    assert len(find_images([path, tmp_path])) == 1


def test_two_files_with_one_id_are_both_named(tmp_path):
    picture = Image.new("RGB", (4, 4))
    save(picture, tmp_path / "a.png")
    save(picture, tmp_path / "sub/a.jpg")
    with pytest.raises(DuplicateImageId, match=r"a\.png and .*a\.jpg"):
        find_images([tmp_path])


@pytest.mark.parametrize("source", ["empty", "absent"])
def test_nothing_to_look_at_is_an_error(tmp_path, source):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadConfig, match=source):
        find_images([tmp_path / source])


def pictures():
    """Name → (a red picture in some mode, how to save it, the suffix)."""
    red = Image.new("RGB", (8, 8), RED)
    palette = red.quantize(4)
    half = Image.new("RGBA", (8, 8), (*RED, 255))
    return {
        "rgb": (red, {}, "png"),
        "palette": (palette, {}, "png"),
        "jpeg": (red, {"quality": 100, "subsampling": 0}, "jpg"),
        "cmyk": (red.convert("CMYK"), {"quality": 100, "subsampling": 0}, "jpg"),
        "webp": (red, {"lossless": True}, "webp"),
        "bmp": (red, {}, "bmp"),
        "tiff": (red, {}, "tif"),
        "opaque alpha": (half, {}, "png"),
        "animation": (
            red,
            {"save_all": True, "append_images": [Image.new("RGB", (8, 8))], "lossless": True},
            "webp",
        ),
    }


@pytest.mark.parametrize("name", pictures())
def test_a_red_picture_is_red_whatever_its_format(tmp_path, name):
    image, how, suffix = pictures()[name]
    loaded = load_image(save(image, tmp_path / f"a.{suffix}", **how))
    assert loaded.mode == "RGB"
    assert np.abs(np.array(loaded).astype(int) - RED).max() <= 3


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_shows_white(tmp_path, mode):
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image = clear.convert(mode) if mode != "P" else clear.quantize(2)
    assert np.array(load_image(save(image, tmp_path / "a.png"))).min() == 255


@pytest.mark.parametrize("levels", [np.uint16, np.int32])
def test_sixteen_bit_greys_keep_their_range(tmp_path, levels):
    ramp = np.linspace(0, 65535, 64).reshape(8, 8).astype(levels)
    image = Image.fromarray(ramp)
    suffix = "png" if levels is np.uint16 else "tif"
    grey = np.array(load_image(save(image, tmp_path / f"a.{suffix}")))[..., 0]
    assert grey.min() == 0
    assert grey.max() == 255
    assert np.abs(grey.reshape(-1) - np.linspace(0, 255, 64)).max() <= 1


def test_exif_turns_the_picture(tmp_path):
    image = Image.new("RGB", (8, 4))
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6
    loaded = load_image(save(image, tmp_path / "a.png", exif=exif))
    assert loaded.size == (4, 8)
    assert loaded.getpixel((3, 0)) == (255, 255, 255)


def test_broken_exif_loses_nothing(tmp_path):
    path = save(Image.new("RGB", (8, 8), RED), tmp_path / "a.png", exif=b"Exif\0\0MM\0*broken")
    assert load_image(path).getpixel((0, 0)) == RED


@pytest.mark.parametrize("name", BROKEN)
def test_each_kind_of_broken_image_is_one_line_naming_the_file(tmp_path, name):
    with pytest.raises(UnreadableImage) as caught:
        decode_image(BROKEN[name](), tmp_path / name)
    message = str(caught.value)
    assert name in message
    assert "\n" not in message


def test_a_bomb_is_refused_by_its_size(tmp_path):
    with pytest.raises(UnreadableImage, match="decompression bomb"):
        decode_image(BROKEN["bomb.png"](), tmp_path / "bomb.png")


def test_a_file_that_may_not_be_read_is_reported(tmp_path):
    with pytest.raises(UnreadableImage, match=r"a\.png: cannot be read"):
        load_image(tmp_path / "a.png")


def test_a_page_for_a_printer_is_no_image_whatever_it_is_called(tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("it ran"))
    page = tmp_path / "page.png"
    Image.new("RGB", (8, 8), "red").save(page, "EPS")
    with pytest.raises(UnreadableImage, match="not an image of a format read here"):
        load_image(page)
    page.rename(tmp_path / "page.eps")
    with pytest.raises(BadConfig, match="no images"):
        find_images([tmp_path])
