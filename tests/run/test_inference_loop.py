"""The loop that feeds a model."""

from dataclasses import replace

import pytest
import torch
from closeness import rows_agree
from colour_member import ColourOptions, OpenedColour

from prompt_ensemble.core.errors import OutOfMemory, UnreadableImage
from prompt_ensemble.core.outputs import join
from prompt_ensemble.images.find import ImageFile, find_images
from prompt_ensemble.models.device import Placement
from prompt_ensemble.run.inference_loop import run_batches

CPU = Placement(torch.device("cpu"), torch.float32)


def look(opened, images, batch_size=5, **how):
    return join(list(run_batches(opened, images, CPU, batch_size, **how)))


def test_findings_come_in_the_order_of_the_images(photos):
    images = find_images([photos])
    outputs = look(OpenedColour(ColourOptions()), images)
    assert outputs.image_ids == tuple(image.image_id for image in images)


@pytest.mark.parametrize("batch_size", [1, 5, 12, 100])
def test_the_batch_size_does_not_change_what_is_found(photos, batch_size):
    images = find_images([photos])
    alone = look(OpenedColour(ColourOptions()), images, 1)
    together = look(OpenedColour(ColourOptions()), images, batch_size)
    assert rows_agree(alone.vectors, together.vectors)


def test_batches_are_cut_by_position(photos):
    opened = OpenedColour(ColourOptions())
    look(opened, find_images([photos]))
    assert opened.batches == [5, 5, 2]


def test_no_room_halves_the_batch_and_loses_nothing(photos):
    images = find_images([photos])
    opened = OpenedColour(ColourOptions(largest_batch=2))
    outputs = look(opened, images, 8)
    assert outputs.image_ids == tuple(image.image_id for image in images)
    assert opened.batches == [2, 2, 2, 2, 2, 2]
    roomy = look(OpenedColour(ColourOptions()), images, 8)
    assert rows_agree(outputs.vectors, roomy.vectors)


def test_no_room_for_one_image_says_what_to_do(photos):
    with pytest.raises(OutOfMemory, match="--precision bf16"):
        look(OpenedColour(ColourOptions(largest_batch=0)), find_images([photos]))


def test_an_image_that_vanishes_while_running_is_named(photos):
    images = [*find_images([photos]), ImageFile("gone", photos / "gone.png")]
    with pytest.raises(UnreadableImage, match=r"gone\.png"):
        look(OpenedColour(ColourOptions()), images)


def test_gradients_are_off(photos):
    class Watching(OpenedColour):
        def run(self, batch):
            assert torch.is_inference_mode_enabled()
            return super().run(batch)

    assert len(look(Watching(ColourOptions()), find_images([photos]))) == 12


def test_a_member_that_needs_no_pictures_gets_none(photos):
    class Blind(OpenedColour):
        reads_pixels = False

        def run(self, batch):
            assert batch.views == ()
            return super().run(replace(batch, views=(torch.zeros(1, 3, 4, 4),)))

    assert len(look(Blind(ColourOptions()), [ImageFile("a", photos / "nowhere.png")])) == 1


def test_autocast_reaches_the_model(photos):
    class Casting(OpenedColour):
        def run(self, batch):
            product = torch.ones(2, 2) @ torch.ones(2, 2)
            assert product.dtype == torch.bfloat16
            return super().run(batch)

    half = Placement(torch.device("cpu"), torch.bfloat16)
    opened = Casting(ColourOptions())
    assert len(join(list(run_batches(opened, find_images([photos]), half, 4)))) == 12
