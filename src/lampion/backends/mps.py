"""`torch.backends.mps`: Apple's graphics processor is not used."""


def is_available() -> bool:
    """Return False: lampion computes on the CPU."""
    return False


def is_built() -> bool:
    """Return False: lampion computes on the CPU."""
    return False
