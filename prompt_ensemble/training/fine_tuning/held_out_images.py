"""What a captioner in training says of held-out images, in the loop that feeds every model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prompt_ensemble.images.find import ImageFile
from prompt_ensemble.images.survey import survey
from prompt_ensemble.members.captioners.caption_predictor import OpenedCaptioner
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
from prompt_ensemble.run.inference_loop import run_batches


class HeldOutImages:
    """Images that are looked at again and again; which of them can be read is found out once."""

    def __init__(self, images: Sequence[Path], placement: Placement, batch_size: int) -> None:
        # Named by their places, for a listing may hold files of one name in several folders.
        files = [ImageFile(f"{number:09}", path) for number, path in enumerate(images)]
        self.album = survey(files)
        self.placement = placement
        self.batch_size = batch_size

    def captions(self, captioner: SearchingCaptioner) -> list[str]:
        """The likeliest caption of each image; none of an image that cannot be read."""
        opened = OpenedCaptioner(captioner)
        said: dict[str, str] = {}
        for outputs in run_batches(opened, self.album.good, self.placement, self.batch_size):
            said |= {
                image_id: lines[0].text
                for image_id, lines in zip(outputs.image_ids, outputs.lines, strict=True)
            }
        return [said.get(image_id, "") for image_id in self.album.image_ids]
