"""From images of other programs and published sets to pairs that models can be trained on."""
