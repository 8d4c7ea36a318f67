"""A network from pictures to pictures: U-Net, with transposed convolutions on the way up."""

from __future__ import annotations

from typing import Any

import numpy as np

from .case import Program, Setting, case, cycle, learn, normal


def _network(torch: Any, setting: Setting) -> Any:
    nn = torch.nn

    def double(channels, width):
        return nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down1, self.down2, self.bottom = double(1, 16), double(16, 32), double(32, 64)
            self.pool = nn.MaxPool2d(2)
            self.up2 = nn.ConvTranspose2d(64, 32, 2, stride=2)
            self.merge2 = double(64, 32)
            self.up1 = nn.ConvTranspose2d(32, 16, 2, stride=2)
            self.merge1 = double(32, 16)
            self.last = nn.Conv2d(16, 1, 1)

        def forward(self, x):
            first = self.down1(x)
            second = self.down2(self.pool(first))
            x = self.bottom(self.pool(second))
            x = self.merge2(torch.cat([self.up2(x), second], dim=1))
            x = self.merge1(torch.cat([self.up1(x), first], dim=1))
            return self.last(x)

    return UNet()


@case("unet", "U-Net with transposed convolutions on 64x64, batch 4, Adam")
def unet(torch: Any, setting: Setting) -> Program:
    model = _network(torch, setting)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    size, side = setting.size(4, 2), setting.size(64, 16)
    rows = cycle(torch, lambda r: normal(r, size, 1, side, side),
                 lambda r: (normal(r, size, 1, side, side) > 0).astype(np.float32))

    def step() -> float:
        x, y = next(rows)
        return learn(optimizer,
                     torch.nn.functional.binary_cross_entropy_with_logits(model(x), y))

    return Program([model], step)
