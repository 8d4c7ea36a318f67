"""The native engine: kernels written as LLVM text, compiled on the spot, run by parked threads.

    target   the processor: its name, features, vector width
    jit      LLVM text -> native code, once per key
    cache    the compiled code on disk, shared by processes
    pool     threads that wait in native code for jobs

llvmlite is loaded when the first kernel is needed, not when lampion is imported.
`python -m lampion.cpu` shows what the engine found on this machine.
"""
