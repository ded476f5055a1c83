"""BLIP-2 without its language model: the vision tower, and the Q-Former that questions it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def blip2_vision(config: dict[str, Any]) -> Any:
    """The network from the parts of BLIP-2's config.json.

    The class is made here since it derives from one of transformers, which loads slowly; its
    parts bear the names that whole checkpoints give them.
    """
    from transformers import Blip2Config, Blip2PreTrainedModel, Blip2QFormerModel, Blip2VisionModel
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    class Blip2Vision(Blip2PreTrainedModel):
        """Pixels to the mean of what the queries brought back."""

        def __init__(self, config: Blip2Config) -> None:
            super().__init__(config)
            seeing: Any = config.vision_config
            asking: Any = config.qformer_config
            width = asking.hidden_size
            self.vision_model = Blip2VisionModel(seeing)
            self.query_tokens = nn.Parameter(torch.zeros(1, config.num_query_tokens, width))
            self.qformer = Blip2QFormerModel(asking)
            self.post_init()

        def forward(
            self, pixel_values: torch.Tensor, interpolate_pos_encoding: bool = False
        ) -> BaseModelOutputWithPooling:
            seen = self.vision_model(
                pixel_values, interpolate_pos_encoding=interpolate_pos_encoding
            ).last_hidden_state
            answers = self.qformer(
                query_embeds=self.query_tokens.expand(len(seen), -1, -1),
                encoder_hidden_states=seen,
            ).last_hidden_state
            return BaseModelOutputWithPooling(answers, answers.mean(dim=1))

    return Blip2Vision(Blip2Config(**config))
