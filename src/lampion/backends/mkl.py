"""`torch.backends.mkl`: lampion does not use it."""


def is_available() -> bool:
    """Return False: lampion has its own engine."""
    return False
