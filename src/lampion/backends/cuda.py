"""`torch.backends.cuda`: the switches may be set, nothing reads them."""

from types import SimpleNamespace

matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
)


def is_built() -> bool:
    """Return False: lampion computes on the CPU."""
    return False
