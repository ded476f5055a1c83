"""The loop that feeds a model."""

import pytest
import torch
from closeness import rows_agree
from colour_member import ColourLooker, ColourOptions

from prompt_ensemble.device import Placement
from prompt_ensemble.errors import OutOfMemory, UnreadableImage
from prompt_ensemble.findings import join
from prompt_ensemble.images import ImageFile, find_images
from prompt_ensemble.inference import look_at

CPU = Placement(torch.device("cpu"), torch.float32)


def look(looker, images, batch_size=5, **how):
    return join(list(look_at(looker, images, CPU, batch_size, **how)))


def test_findings_come_in_the_order_of_the_images(photos):
    images = find_images([photos])
    findings = look(ColourLooker(ColourOptions()), images)
    assert findings.image_ids == tuple(image.image_id for image in images)


@pytest.mark.parametrize("batch_size", [1, 5, 12, 100])
def test_the_batch_size_does_not_change_what_is_found(photos, batch_size):
    images = find_images([photos])
    alone = look(ColourLooker(ColourOptions()), images, 1)
    together = look(ColourLooker(ColourOptions()), images, batch_size)
    assert rows_agree(alone.vectors, together.vectors)


def test_batches_are_cut_by_position(photos):
    looker = ColourLooker(ColourOptions())
    look(looker, find_images([photos]))
    assert looker.batches == [5, 5, 2]


def test_no_room_halves_the_batch_and_loses_nothing(photos):
    images = find_images([photos])
    looker = ColourLooker(ColourOptions(largest_batch=2))
    findings = look(looker, images, 8)
    assert findings.image_ids == tuple(image.image_id for image in images)
    assert looker.batches == [2, 2, 2, 2, 2, 2]
    roomy = look(ColourLooker(ColourOptions()), images, 8)
    assert rows_agree(findings.vectors, roomy.vectors)


def test_no_room_for_one_image_says_what_to_do(photos):
    with pytest.raises(OutOfMemory, match="--precision bf16"):
        look(ColourLooker(ColourOptions(largest_batch=0)), find_images([photos]))


def test_an_image_that_vanishes_while_running_is_named(photos):
    images = [*find_images([photos]), ImageFile("gone", photos / "gone.png")]
    with pytest.raises(UnreadableImage, match=r"gone\.png"):
        look(ColourLooker(ColourOptions()), images)


def test_gradients_are_off(photos):
    class Watching(ColourLooker):
        def look(self, views, image_ids):
            assert torch.is_inference_mode_enabled()
            return super().look(views, image_ids)

    assert len(look(Watching(ColourOptions()), find_images([photos]))) == 12


def test_a_member_that_needs_no_pictures_gets_none(photos):
    class Blind(ColourLooker):
        sees_images = False

        def look(self, views, image_ids):
            assert views == ()
            return super().look((torch.zeros(len(image_ids), 3, 4, 4),), image_ids)

    assert len(look(Blind(ColourOptions()), [ImageFile("a", photos / "nowhere.png")])) == 1


def test_autocast_reaches_the_model(photos):
    class Casting(ColourLooker):
        def look(self, views, image_ids):
            product = torch.ones(2, 2) @ torch.ones(2, 2)
            assert product.dtype == torch.bfloat16
            return super().look(views, image_ids)

    half = Placement(torch.device("cpu"), torch.bfloat16)
    looker = Casting(ColourOptions())
    assert len(join(list(look_at(looker, find_images([photos]), half, 4)))) == 12
