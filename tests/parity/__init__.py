"""PyTorch's own inventory of operators, modules and optimizers, run against lampion.

PyTorch's test suite describes each of its operators by sample inputs and by inputs that must fail
(`torch.testing._internal`: op_db, module_db, optim_db). Here every entry runs on both libraries,
which must agree in values, types, shapes, gradients, and in what raises.

    inventory.py   loads the three lists
    scope.py       entries that make no sense here, each with the reason
    known.py       entries that differ for a reason
    convert.py     PyTorch's tensors and arguments as lampion's
    compare.py     the first difference between two results
    outcome.py     what became of an entry
    operators.py   one entry of op_db
    modules.py     one entry of module_db
    optimizers.py  one entry of optim_db
    __main__.py    all of them: python -m tests.parity
"""
