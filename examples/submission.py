"""A folder of images to a checked submission.csv: python examples/submission.py IMAGES OUT."""

import sys

from prompt_ensemble import check_submission, predict

images, out = sys.argv[1:3]
prediction = predict(images, out, config="embedded", on_bad_image="prior")
faults = check_submission(f"{out}/submission.csv", prediction.embeddings.image_ids)
print(f"{len(prediction.embeddings)} images, {len(faults)} faults in {out}/submission.csv")
