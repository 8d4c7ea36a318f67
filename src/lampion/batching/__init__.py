"""Mapping a graph over a new leading axis: from one element to all at once.

`batch` takes a graph that computes something for one element and returns the graph that computes
it for all of them, as `grad` takes a graph and returns one that computes gradients: each value
that depends on the element gets a leading axis of `size`, every other stays as it is. How an op
grows by that axis follows from its kind; those that need more have a rule in `rules.py`,
`matrices.py` or `images.py`; whatever has none is applied to one element after another.
"""

from .mapping import batch

__all__ = ["batch"]
