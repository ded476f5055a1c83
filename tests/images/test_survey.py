"""Good images and bad ones, told apart."""

import hashlib

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
    assert all(str(image.path) in image.reason for image in album.bad)


def test_digests_are_those_of_the_files(photos):
    image = survey(find_images([photos])).good[0]
    assert image.digest == hashlib.sha256(image.path.read_bytes()).hexdigest()
