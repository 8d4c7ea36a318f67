"""CNN and LSTM for video: what is in each picture, then what happens over time.

Donahue et al.: Long-term recurrent convolutional networks for visual recognition and description,
2015 (figures 1 and 2, section 4: the scores of all steps are averaged).
"""

from __future__ import annotations

import lampion as torch
from lampion import nn


class CNNLSTM(nn.Module):
    """A small convolutional network reads each frame, an LSTM the sequence of what it saw.

    Shape:
        (N, T, in_channels, H, W) -> (N, num_classes)

    Args:
        num_classes: number of scores.
        in_channels: channels of a frame.
        width: channels of the first convolution.
        hidden_size: features of the LSTM's state.
        num_layers: LSTM layers.

    Source: Donahue et al. 2015, figure 2, on the left.

    Example:
        >>> import lampion as torch
        >>> CNNLSTM(4, in_channels=1, width=4)(torch.zeros(2, 6, 1, 16, 16)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self, num_classes: int, in_channels: int = 3, width: int = 16, hidden_size: int = 64,
        num_layers: int = 1,
    ) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(in_channels, width, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, kernel_size=3, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.lstm = nn.LSTM(8 * width, hidden_size, num_layers, batch_first=True)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        frames = self.cnn(video.flatten(0, 1))  # all frames of all videos at once
        states, _ = self.lstm(frames.unflatten(0, video.shape[:2]))
        return self.head(states).mean(dim=1)
