"""Numbers in tables of whole numbers."""

from __future__ import annotations

import numpy as np

from .steps import Table


def table_of(number: np.ndarray) -> Table:
    """Return a table whose address is that of a number of any type."""
    words = np.zeros(max(1, -(-number.nbytes // 8)), np.int64)
    words.view(np.uint8)[: number.nbytes] = np.frombuffer(number.tobytes(), np.uint8)
    return Table(words)
