"""The prompt of one picture, and where it lies: python examples/prompt_of_a_picture.py PICTURE."""

import sys

from PIL import Image

from prompt_ensemble import load_ensemble

with load_ensemble("embedded") as ensemble:
    picture = {"picture": Image.open(sys.argv[1])}
    print(ensemble.interrogate(picture)["picture"])
    embedding = ensemble.embed(picture)
print(embedding.vectors.shape)
