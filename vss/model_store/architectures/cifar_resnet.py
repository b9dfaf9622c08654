"""Residual networks for CIFAR: He et al., "Deep Residual Learning for Image Recognition", 2015, section 4.2.

A 3x3 convolution of 16 channels, three stages of n blocks with 16, 32 and 64 channels at 32, 16 and 8 pixels, global
average pooling and a linear layer: 6n + 2 layers. The shortcuts have no weights (the paper's option A): where a stage
begins, every other pixel is taken and the new channels are zeros, half before and half behind the old ones.
"""

from __future__ import annotations

from typing import Any, Final

from torch import nn
from torch.nn import functional

_STAGE_CHANNELS: Final = (16, 32, 64)


class Block(nn.Module):
    """Two convolutions beside a shortcut.

    Args:
        before: Channels of what comes in.
        channels: Channels of what goes out.
        stride: 2 halves width and height.
    """

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self._stride = stride
        self._new_channels = channels - before

    def forward(self, x: Any) -> Any:
        """(batch, before, height, width) → (batch, channels, height / stride, width / stride)."""
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self._stride > 1:
            x = x[:, :, :: self._stride, :: self._stride]
        if self._new_channels:
            before = self._new_channels // 2
            x = functional.pad(x, (0, 0, 0, 0, before, self._new_channels - before))
        return functional.relu(out + x)


class CifarResNet(nn.Module):
    """A network of 6 `blocks` + 2 layers; its parameters are named as in the state dicts that are widely shared.

    Args:
        blocks: In each of the three stages.
        classes: It tells apart.
    """

    def __init__(self, blocks: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _STAGE_CHANNELS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_STAGE_CHANNELS[0])
        self.layer1 = _stage(_STAGE_CHANNELS[0], _STAGE_CHANNELS[0], blocks, stride=1)
        self.layer2 = _stage(_STAGE_CHANNELS[0], _STAGE_CHANNELS[1], blocks, stride=2)
        self.layer3 = _stage(_STAGE_CHANNELS[1], _STAGE_CHANNELS[2], blocks, stride=2)
        self.linear = nn.Linear(_STAGE_CHANNELS[2], classes)

    def forward(self, x: Any) -> Any:
        """(batch, 3, height, width) → logits, (batch, classes)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def _stage(before: int, channels: int, blocks: int, *, stride: int) -> Any:
    first = Block(before, channels, stride)
    return nn.Sequential(first, *(Block(channels, channels, 1) for _ in range(blocks - 1)))
