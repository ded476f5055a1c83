"""Good images and bad ones, kept apart."""

import hashlib

import numpy as np
from broken_images import write_broken_images

from prompt_ensemble.images.find import find_images
from prompt_ensemble.images.survey import survey


def test_good_images_survive_any_company(photos):
    bad = write_broken_images(photos)
    album = survey(find_images([photos]))
    assert [image.image_id for image in album.good] == [f"photo{n:02}" for n in range(12)]
    assert [image.image_id for image in album.bad] == bad
    assert len(album.image_ids) == 12 + len(bad)


def test_every_bad_image_says_why(photos):
    write_broken_images(photos)
    album = survey(find_images([photos]))
    assert all(f"{image.image_id}." in image.reason for image in album.bad)


def test_digests_are_those_of_the_files(photos):
    image = survey(find_images([photos])).good[0]
    assert image.digest == hashlib.sha256(image.path.read_bytes()).hexdigest()


def test_pictures_in_memory_need_no_file(photos):
    from PIL import Image

    file = find_images([photos])[0]
    picture = Image.open(file.path)
    album = survey([file.path, picture, np.asarray(picture.convert("RGB")), file.path.read_bytes()])
    assert [image.image_id for image in album.good] == ["image0", "image1", "image2", "photo00"]
    assert len({image.load().tobytes() for image in album.good}) == 1


def test_a_mapping_names_its_pictures(photos):
    content = find_images([photos])[0].path.read_bytes()
    album = survey({"b": content, "a": content[:100]})
    assert [image.image_id for image in album.good] == ["b"]
    assert album.bad[0].image_id == "a" and "damaged" in album.bad[0].reason


def test_what_is_no_picture_is_a_bad_image():
    album = survey([np.zeros((4, 4, 3), np.float32), np.zeros((3, 4, 4, 3), np.uint8)])
    assert [image.image_id for image in album.bad] == ["image0", "image1"]


def test_pictures_are_kept_while_there_is_room(photos):
    files = find_images([photos])
    first = files[0].load()
    size = first.width * first.height * 4
    album = survey(files, most_bytes=3 * size)
    kept = [image.picture is not None for image in album.good]
    assert kept == [True] * 3 + [False] * 9
    assert all(image.load().size == first.size for image in album.good)


def test_a_kept_picture_is_not_decoded_again(photos):
    album = survey(find_images([photos]))
    for file in photos.iterdir():
        file.unlink()
    assert all(image.load().mode == "RGB" for image in album.good)
