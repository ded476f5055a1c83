"""The picture's network: a bottleneck ResNet that stops after its third stage, at stride 16."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import max_pool2d
from torch.nn.utils.fusion import fuse_conv_bn_eval

BLOCKS = {
    "resnet18": (2, 2, 2),
    "resnet34": (3, 4, 6),
    "resnet50": (3, 4, 6),
    "resnet101": (3, 4, 23),
    "resnet152": (3, 8, 36),
}
"""Blocks per stage; all of them bottlenecks, unlike torchvision's two small ones."""
_WIDTHS = (64, 128, 256)
_EXPANSION = 4
FEATURES = _WIDTHS[-1] * _EXPANSION


class _Bottleneck(nn.Module):
    """1×1, 3×3 (which carries the stride) and 1×1 convolutions around a shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = width * _EXPANSION
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1: nn.Module = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2: nn.Module = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3: nn.Module = nn.BatchNorm2d(out)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or channels != out:
            shortcut = nn.Conv2d(channels, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, channels, H, W)`` to ``(B, 4·width, H / stride, W / stride)``."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.bn1(self.conv1(x)).relu_()
        x = self.bn2(self.conv2(x)).relu_()
        x = self.bn3(self.conv3(x))
        return x.add_(shortcut).relu_()

    def fold(self) -> None:
        """Move the norms' running statistics into the convolutions."""
        self.conv1, self.bn1 = folded(self.conv1, self.bn1)
        self.conv2, self.bn2 = folded(self.conv2, self.bn2)
        self.conv3, self.bn3 = folded(self.conv3, self.bn3)
        if self.downsample is not None:
            self.downsample = nn.Sequential(*folded(*self.downsample))


class Trunk(nn.Module):
    """Stem and three stages."""

    def __init__(self, resnet_type: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1: nn.Module = nn.BatchNorm2d(64)
        blocks = BLOCKS[resnet_type]
        self.layer1 = stage(64, _WIDTHS[0], blocks[0], stride=1)
        self.layer2 = stage(_EXPANSION * _WIDTHS[0], _WIDTHS[1], blocks[1], stride=2)
        self.layer3 = stage(_EXPANSION * _WIDTHS[1], _WIDTHS[2], blocks[2], stride=2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Normalised pictures ``(B, 3, H, W)`` to features ``(B, 1024, ⌈H/16⌉, ⌈W/16⌉)``."""
        x = images.contiguous(memory_format=torch.channels_last)
        x = self.bn1(self.conv1(x)).relu_()
        x = max_pool2d(x, 3, 2, 1)
        features: torch.Tensor = self.layer3(self.layer2(self.layer1(x)))
        return features

    def fold(self) -> None:
        """Make it faster for good: norms into convolutions, channels last. Only for inference."""
        self.conv1, self.bn1 = folded(self.conv1, self.bn1)
        for block in self.modules():
            if isinstance(block, _Bottleneck):
                block.fold()
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.data = layer.weight.contiguous(memory_format=torch.channels_last)


def stage(channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    """Blocks at one resolution, the first of which changes it."""
    rest = [_Bottleneck(_EXPANSION * width, width, stride=1) for _ in range(blocks - 1)]
    return nn.Sequential(_Bottleneck(channels, width, stride), *rest)


def folded(convolution: nn.Module, norm: nn.Module) -> tuple[nn.Conv2d, nn.Module]:
    """One convolution that does the work of both, and nothing in the norm's place."""
    if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        raise TypeError("only a convolution and its batch norm can be folded")
    return fuse_conv_bn_eval(convolution.eval(), norm.eval()), nn.Identity()
