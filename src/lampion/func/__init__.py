"""Functions of functions, under the names of `torch.func`.

    grad, grad_and_value   the gradient of a function of tensors
    vjp, jvp, linearize    products with its Jacobian, from either side
    jacrev, jacfwd         the Jacobian itself
    hessian                second derivatives
    vmap                   the function for every element of an axis at once
    functional_call        a module as a function of its parameters

They are transformations of graphs: a function is run once, on tensors that remember what is done
to them, and what it did is turned into another graph. So they nest in any order: per-example
gradients are `vmap(grad(loss), in_dims=(None, 0, 0))`.
"""

from ..nn.utils.stateless import functional_call
from .gradients import grad, grad_and_value
from .jacobians import hessian, jacfwd, jacrev
from .modules import functionalize, replace_all_batch_norm_modules_, stack_module_state
from .products import jvp, linearize, vjp
from .vmap import vmap

__all__ = [
    "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev",
    "jvp", "linearize", "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]
