"""A hash that stays as it is when a picture is only written again."""

import io

from generated_images import picture
from PIL import Image

from prompt_ensemble.images.perceptual_hash import perceptual_hash


def apart(one: Image.Image, other: Image.Image) -> int:
    return (perceptual_hash(one) ^ perceptual_hash(other)).bit_count()


def test_compressed_and_scaled_pictures_are_near():
    original = picture(1)
    file = io.BytesIO()
    original.resize((60, 60)).save(file, "JPEG", quality=60)
    assert apart(original, Image.open(file)) <= 4


def test_other_pictures_are_far():
    pictures = [picture(seed) for seed in range(12)]
    distances = [apart(a, b) for at, a in enumerate(pictures) for b in pictures[:at]]
    assert min(distances) > 12


def test_half_of_the_bits_are_set():
    assert 30 <= perceptual_hash(picture(3)).bit_count() <= 32
