"""Products of vectors and matrices, and what follows from them directly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import base, dtypes, ops
from ..base import TensorBase, call
from ..errors import (
    ArgumentTypeError,
    DTypeError,
    DTypeOperationError,
    IndexRangeError,
    ShapeError,
    StateError,
    shape_text,
)
from ..replay.recorded import record_module
from . import elementwise as e
from . import reduction as r
from . import shape as s
from .operands import broadcast_shape, normalize_dim, row_major

product = ops.contraction.matmul


def _check_types(name: str, a: TensorBase, b: TensorBase) -> None:
    if a._dtype is not b._dtype:
        raise DTypeError(
            f"{name}: expected both tensors to have the same dtype, but got {a._dtype.name} and "
            f"{b._dtype.name}", why="a product of matrices does not promote types",
            fix=f"b.to(a.dtype), or {name}(a.float(), b.float())")
    vectors = len(a._shape) == len(b._shape) == 1
    if a._dtype is dtypes.bool_ and (vectors or 0 not in a._shape + b._shape):
        raise DTypeOperationError(f"{name}: not implemented for bool",
                                  fix=f"{name}(a.int(), b.int())")


def _refuse(name: str, a: TensorBase, b: TensorBase, why: str) -> ShapeError:
    swapped = len(b._shape) == 2 and a._shape and a._shape[-1] == b._shape[-1]
    return ShapeError(
        f"{name}: mat1 and mat2 shapes cannot be multiplied ({shape_text(a._shape)} and "
        f"{shape_text(b._shape)})", why=why,
        fix="a @ b.T" if swapped else "x.reshape(...) or .transpose(...) so that the inner sizes "
        "are equal")


def _multiply(name: str, a: TensorBase, b: TensorBase) -> Any:
    """The product of matrices with equal batch axes."""
    if a._shape[-1] != b._shape[-2]:
        raise _refuse(name, a, b, f"the last axis of the first ({a._shape[-1]}) must equal the "
                      f"second-to-last of the second ({b._shape[-2]})")
    return call(product, (a, b), {}, label=name)


def mm(input: TensorBase, mat2: TensorBase, *, out: Any = None) -> Any:
    """The product of two matrices.

    Shape: (N, K), (K, M) -> (N, M).

    Example:
        >>> import lampion as torch
        >>> torch.mm(torch.eye(2), torch.tensor([[1., 2.], [3., 4.]]))
        tensor([[1., 2.],
                [3., 4.]])
    """
    base.require_tensor(input, "mm"), base.require_tensor(mat2, "mm", "mat2")
    for name, x in (("self", input), ("mat2", mat2)):
        if len(x._shape) != 2:
            raise StateError(f"mm: {name} must be a matrix, got {shape_text(x._shape)}",
                             fix="torch.matmul(a, b)")
    _check_types("mm", input, mat2)
    result = _multiply("mm", input, mat2)
    return result if out is None else out.copy_(result)


def bmm(input: TensorBase, mat2: TensorBase) -> Any:
    """The products of two stacks of matrices.

    Shape: (B, N, K), (B, K, M) -> (B, N, M).

    Example:
        >>> import lampion as torch
        >>> torch.bmm(torch.ones(2, 1, 3), torch.ones(2, 3, 4)).shape
        torch.Size([2, 1, 4])
    """
    base.require_tensor(input, "bmm"), base.require_tensor(mat2, "bmm", "mat2")
    if len(input._shape) != 3 or len(mat2._shape) != 3:
        raise StateError("batch1 must be a 3D tensor, batch2 must be a 3D tensor: got "
                         f"{shape_text(input._shape)} and {shape_text(mat2._shape)}",
                         fix="torch.matmul(a, b)")
    _check_types("bmm", input, mat2)
    if input._shape[0] != mat2._shape[0]:
        raise ShapeError(f"bmm: Expected size for first two dimensions of batch2 tensor to be: "
                         f"[{input._shape[0]}, {input._shape[2]}] but got: "
                         f"[{mat2._shape[0]}, {mat2._shape[1]}].", fix="torch.matmul broadcasts")
    return _multiply("bmm", input, mat2)


def mv(input: TensorBase, vec: TensorBase) -> Any:
    """A matrix times a vector.

    Shape: (N, K), (K) -> (N).
    """
    if not input._shape:
        raise IndexRangeError("mv: Dimension specified as 0 but tensor has no dimensions",
                              why="the matrix is a single number", fix="vec * input")
    if len(input._shape) != 2 or len(vec._shape) != 1:
        raise StateError(f"vector + matrix @ vector expected, got {len(input._shape)}, "
                         f"{len(vec._shape)}")
    return _named("mv", matmul(input, vec))


def dot(input: TensorBase, tensor: TensorBase) -> Any:
    """The sum of the products of two vectors.

    Shape: (N), (N) -> scalar.

    Example:
        >>> import lampion as torch
        >>> torch.dot(torch.tensor([1., 2.]), torch.tensor([3., 4.]))
        tensor(11.)
    """
    if len(input._shape) != 1 or len(tensor._shape) != 1:
        raise StateError(f"1D tensors expected, but got {len(input._shape)}D and "
                         f"{len(tensor._shape)}D tensors", fix="torch.matmul(a, b)")
    if input._shape != tensor._shape:
        raise ShapeError(f"inconsistent tensor size, expected tensor [{input._shape[0]}] and src "
                         f"[{tensor._shape[0]}] to have the same number of elements")
    return _named("dot", matmul(input, tensor))


vdot = dot


def outer(input: TensorBase, vec2: TensorBase) -> Any:
    """Every element of one vector times every element of another.

    Shape: (N), (M) -> (N, M).
    """
    if len(input._shape) != 1 or len(vec2._shape) != 1:
        raise StateError("outer: Expected 1-D argument", fix="x.flatten()")
    return e.mul(s.unsqueeze(input, 1), vec2)


ger = outer


def matmul(input: TensorBase, other: TensorBase, *, out: Any = None) -> Any:
    """The matrix product: of vectors, matrices, or stacks of them with broadcast batch axes.

    Shape: (*, N, K), (*, K, M) -> (*, N, M); a 1-d operand counts as a row on the left and as a
    column on the right, and its axis is dropped.

    Raises:
        ShapeError: the inner sizes differ.
        DTypeError: the types differ.

    Example:
        >>> import lampion as torch
        >>> torch.ones(2, 3) @ torch.ones(3)
        tensor([3., 3.])
    """
    base.require_tensor(input, "matmul")
    base.require_tensor(other, "matmul", "other")
    if not input._shape or not other._shape:
        raise StateError(f"both arguments to matmul need to be at least 1D, but they are "
                         f"{len(input._shape)}D and {len(other._shape)}D", fix="a * b")
    _check_types("matmul", input, other)
    a = s.unsqueeze(input, 0) if len(input._shape) == 1 else input
    b = s.unsqueeze(other, 1) if len(other._shape) == 1 else other
    if a._shape[-1] != b._shape[-2]:
        raise _refuse("matmul", input, other,
                      f"the last axis of the first ({a._shape[-1]}) must equal the "
                      f"{'second-to-last' if len(other._shape) > 1 else 'only'} axis of the "
                      f"second ({b._shape[-2]})")
    result = _batched(a, b)
    if len(input._shape) == 1:
        result = s.squeeze(result, -2)
    if len(other._shape) == 1:
        result = s.squeeze(result, -1)
    result = base.own(result)
    return result if out is None else out.copy_(result)


def _batched(a: TensorBase, b: TensorBase) -> Any:
    if len(b._shape) == 2 and len(a._shape) > 2:
        # One matrix for all rows: no batch is needed.
        rows = s.reshape(a, -1, a._shape[-1]) if math.prod(a._shape) else None
        if rows is not None:
            flat = _multiply("mm", rows, b)
            return s.reshape(flat, a._shape[:-1] + b._shape[-1:])
    batch = broadcast_shape("matmul", [a._shape[:-2], b._shape[:-2]])
    if a._shape[:-2] != batch:
        a = s.expand(a, batch + a._shape[-2:])
    if b._shape[:-2] != batch:
        b = s.expand(b, batch + b._shape[-2:])
    return _multiply("mm" if not batch else "bmm", a, b)


def _weighted(beta: Any, input: Any, alpha: Any, made: Any) -> Any:
    if made._dtype.category == dtypes.INTEGER:
        alpha, beta = int(alpha), int(beta)  # weights of whole numbers are whole, in PyTorch too
    made = made if alpha == 1 else e.mul(made, alpha)
    _check_types("addmm", made, input)
    if broadcast_shape("addmm", [input._shape, made._shape]) != made._shape:
        raise ShapeError(f"input is {shape_text(input._shape)} but the product is "
                         f"{shape_text(made._shape)}: The expanded size of the tensor must match "
                         "the existing size", why="input is added to the product, not the reverse",
                         fix="input.expand_as(product), or a product of its shape")
    if beta == 0:
        return made
    return e.add(input if beta == 1 else e.mul(input, beta), made)


def _named(label: str, result: Any) -> Any:
    if result._tracked:
        result._value.label = label
    return row_major(result)


def addmm(input: TensorBase, mat1: TensorBase, mat2: TensorBase, *, beta: Any = 1,
          alpha: Any = 1) -> Any:
    """beta * input + alpha * (mat1 @ mat2)."""
    return _named("addmm", _weighted(beta, input, alpha, mm(mat1, mat2)))


def addmm_(input: TensorBase, mat1: TensorBase, mat2: TensorBase, *, beta: Any = 1,
           alpha: Any = 1) -> Any:
    """beta * input + alpha * (mat1 @ mat2), in place."""
    return e.copy_(input, addmm(input, mat1, mat2, beta=beta, alpha=alpha))


def addmv(input: TensorBase, mat: TensorBase, vec: TensorBase, *, beta: Any = 1,
          alpha: Any = 1) -> Any:
    """beta * input + alpha * (mat @ vec)."""
    return _weighted(beta, input, alpha, mv(mat, vec))


def addr(input: TensorBase, vec1: TensorBase, vec2: TensorBase, *, beta: Any = 1,
         alpha: Any = 1) -> Any:
    """beta * input + alpha * outer(vec1, vec2); for booleans, or of ands."""
    if input._dtype is vec1._dtype is vec2._dtype is dtypes.bool_:
        made = outer(vec1, vec2)
        return e.bitwise_or(e.bitwise_and(input, bool(beta)), e.bitwise_and(made, bool(alpha)))
    return _weighted(beta, input, alpha, outer(vec1, vec2))


def baddbmm(input: TensorBase, batch1: TensorBase, batch2: TensorBase, *, beta: Any = 1,
            alpha: Any = 1) -> Any:
    """beta * input + alpha * bmm(batch1, batch2)."""
    return _named("baddbmm", _weighted(beta, input, alpha, bmm(batch1, batch2)))


def addbmm(input: TensorBase, batch1: TensorBase, batch2: TensorBase, *, beta: Any = 1,
           alpha: Any = 1) -> Any:
    """beta * input + alpha * the sum of bmm(batch1, batch2) over the batch."""
    return _weighted(beta, input, alpha, r.sum(bmm(batch1, batch2), 0))


def chain_matmul(*matrices: TensorBase) -> Any:
    """The product of several matrices, from left to right."""
    result = matrices[0]
    for matrix in matrices[1:]:
        result = mm(result, matrix)
    return result


def trace(input: TensorBase) -> Any:
    """The sum of the diagonal of a matrix."""
    if len(input._shape) != 2:
        raise StateError(f"trace: expected a matrix, but got tensor with dim {len(input._shape)}")
    return r.sum(s.diagonal(input))


def cross(input: TensorBase, other: TensorBase, dim: int | None = None) -> Any:
    """The vector product along an axis of size 3."""
    shape = broadcast_shape("cross", [input._shape, other._shape])
    a, b = s.expand(input, shape), s.expand(other, shape)
    if dim is None:
        dim = next((k for k, n in enumerate(shape) if n == 3), -1)
    axis = normalize_dim(dim, len(shape), "cross")
    if not shape or shape[axis] != 3:
        raise StateError(f"linalg.cross: inputs dimension {dim} must have length 3.")
    (a0, a1, a2), (b0, b1, b2) = s.unbind(a, axis), s.unbind(b, axis)
    return s.stack([e.sub(e.mul(a1, b2), e.mul(a2, b1)), e.sub(e.mul(a2, b0), e.mul(a0, b2)),
                    e.sub(e.mul(a0, b1), e.mul(a1, b0))], axis)


def linalg_cross(input: TensorBase, other: TensorBase, *, dim: int = -1) -> Any:
    """The vector product along an axis of size 3 (`torch.linalg.cross`)."""
    axis = normalize_dim(dim, len(input._shape), "linalg.cross")
    if len(input._shape) != len(other._shape):
        raise StateError("linalg.cross: inputs must have the same number of dimensions.")
    if input._shape[axis] != 3 or other._shape[axis] != 3:
        raise StateError(f"linalg.cross: inputs dimension {dim} must have length 3. Got "
                         f"{input._shape[axis]} and {other._shape[axis]}")
    return cross(input, other, dim)


def kron(input: TensorBase, other: TensorBase) -> Any:
    """The Kronecker product."""
    rank = max(len(input._shape), len(other._shape))
    a = s.reshape(input, (1,) * (rank - len(input._shape)) + tuple(input._shape))
    b = s.reshape(other, (1,) * (rank - len(other._shape)) + tuple(other._shape))
    left = s.reshape(a, [n for k in a._shape for n in (k, 1)])
    right = s.reshape(b, [n for k in b._shape for n in (1, k)])
    return s.reshape(e.mul(left, right), [p * q for p, q in zip(a._shape, b._shape, strict=True)])


def tensordot(a: TensorBase, b: TensorBase, dims: Any = 2) -> Any:
    """Products summed over several axes of both.

    Args:
        dims: how many of the last axes of a meet the first of b; or two lists, the axes of a and
            those of b that meet.

    Example:
        >>> import lampion as torch
        >>> torch.tensordot(torch.ones(2, 3, 4), torch.ones(3, 4, 5), dims=2).shape
        torch.Size([2, 5])
    """
    if isinstance(dims, int):
        left = list(range(len(a._shape) - dims, len(a._shape)))
        right = list(range(dims))
    else:
        left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    left = [normalize_dim(d, len(a._shape), "tensordot") for d in left]
    right = [normalize_dim(d, len(b._shape), "tensordot") for d in right]
    for p, q in zip(left, right, strict=True):
        # A size of 1 stands for any size: what it meets is added up first.
        if a._shape[p] == 1 != b._shape[q]:
            b = r.sum(b, q, True)
        elif b._shape[q] == 1 != a._shape[p]:
            a = r.sum(a, p, True)
        if a._shape[p] != b._shape[q]:
            raise ShapeError(f"contracted dimensions need to match, but first has size "
                             f"{a._shape[p]} in dim {p} and second has size {b._shape[q]} in dim "
                             f"{q}")
    keep_a = [k for k in range(len(a._shape)) if k not in left]
    keep_b = [k for k in range(len(b._shape)) if k not in right]
    inner = math.prod(a._shape[k] for k in left)
    shape = [a._shape[k] for k in keep_a] + [b._shape[k] for k in keep_b]
    rows = s.reshape(s.permute(a, keep_a + left), math.prod(a._shape[k] for k in keep_a), inner)
    columns = s.reshape(s.permute(b, right + keep_b), inner,
                        math.prod(b._shape[k] for k in keep_b))
    return s.reshape(mm(rows, columns), shape)


def vector_norm(x: TensorBase, ord: Any = 2, dim: Any = None, keepdim: bool = False, *,
                dtype: Any = None) -> Any:
    """The norm of vectors along axes (torch.linalg.vector_norm)."""
    if isinstance(ord, str):
        raise ArgumentTypeError(f"linalg_vector_norm(): argument 'ord' must be Number, not {ord!r}",
                                fix="ord=2")
    return r.norm(x, ord, dim, keepdim, dtype)


# --- einsum ------------------------------------------------------------------------------------


def einsum(equation: str, *operands: Any) -> Any:
    """Sums of products after Einstein: letters name axes, those missing on the right are summed.

    Args:
        equation: such as "bij,bjk->bik"; "..." stands for any axes.

    Example:
        >>> import lampion as torch
        >>> torch.einsum("ij,j->i", torch.ones(2, 3), torch.ones(3))
        tensor([3., 3.])
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    terms, output = _parse_einsum(equation.replace(" ", ""), operands)
    sizes: dict[str, int] = {}
    tensors = []
    for term, x in zip(terms, operands, strict=True):
        x, letters = _take_diagonals(x, term)
        for letter, n in zip(letters, x._shape, strict=True):
            if sizes.get(letter, 1) not in (1, n) and n != 1:
                raise ShapeError(f"einsum(): operands do not broadcast with remapped shapes: "
                                 f"subscript {letter} has size {n} and {sizes[letter]}")
            sizes[letter] = max(n, sizes.get(letter, 1)) if n else 0
        tensors.append((x, letters))
    x, letters = tensors[0]
    for k, (y, other) in enumerate(tensors[1:], 2):
        later = set(output).union(*(set(t) for _, t in tensors[k:]))
        x, letters = _contract(x, letters, y, other, later)
    extra = [k for k, letter in enumerate(letters) if letter not in output]
    if extra:
        x = r.sum(x, extra)
        letters = [letter for letter in letters if letter in output]
    result = s.permute(x, [letters.index(letter) for letter in output])
    return base.own(result) if len(operands) > 1 or extra else result


def _parse_einsum(equation: str, operands: Sequence[Any]):
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise StateError(f"einsum(): the number of subscripts in the equation ({len(terms)}) does "
                         f"not match the number of operands ({len(operands)})")
    # Axes under "..." get capital letters that the equation does not use, counted from the end.
    free = [chr(c) for c in range(0x391, 0x3B0)]
    widest = 0
    spelled = []
    for term, x in zip(terms, operands, strict=True):
        named = term.replace("...", "")
        if not all(c.isalpha() for c in named):
            raise StateError(f"einsum(): invalid subscript given in '{term}', subscripts must be "
                             "in [a-zA-Z]")
        hidden = len(x._shape) - len(named)
        if hidden < 0 or (hidden and "..." not in term):
            raise StateError(
                f"einsum(): the number of subscripts in the equation ({len(named)}) does not match "
                f"the number of dimensions ({len(x._shape)}) for operand '{term}'")
        widest = max(widest, hidden if "..." in term else 0)
        spelled.append(term.replace("...", "".join(free[:hidden][::-1])))
    ellipsis = "".join(free[:widest][::-1])
    if arrow:
        output = right.replace("...", ellipsis)
    else:
        letters = "".join(spelled)
        output = ellipsis + "".join(sorted(
            c for c in set(letters) if letters.count(c) == 1 and c not in ellipsis))
    for c in output:
        if output.count(c) > 1 or not any(c in term for term in spelled):
            raise StateError(f"einsum(): output subscript {c} appears more than once in the output "
                             "or not in any input")
    return [list(t) for t in spelled], list(output)


def _take_diagonals(x: TensorBase, letters: list[str]) -> tuple[Any, list[str]]:
    letters = list(letters)
    for letter in sorted(set(letters)):
        while letters.count(letter) > 1:
            a = letters.index(letter)
            b = letters.index(letter, a + 1)
            if x._shape[a] != x._shape[b]:
                raise ShapeError(f"einsum(): subscript {letter} is repeated for one operand but the"
                                 f" sizes don't match, {x._shape[b]} != {x._shape[a]}")
            x = s.diagonal(x, 0, a, b)
            letters = [c for k, c in enumerate(letters) if k not in (a, b)] + [letter]
    return x, letters


def _contract(x, letters, y, other, later):
    """Multiply two terms, summing the letters that nobody needs later."""
    both = [c for c in letters if c in other]
    summed = [c for c in both if c not in later]
    # A letter only one of them has, and nobody needs, is summed first.
    for name in ("x", "y"):
        own = letters if name == "x" else other
        rest = other if name == "x" else letters
        alone = [k for k, c in enumerate(own) if c not in rest and c not in later]
        if alone:
            if name == "x":
                x, letters = r.sum(x, alone), [
                    c for k, c in enumerate(own) if k not in alone]
            else:
                y, other = r.sum(y, alone), [
                    c for k, c in enumerate(own) if k not in alone]
    # A letter that one of them has with length 1: a sum over the other's axis, then a product.
    for c in list(summed):
        n, m = x._shape[letters.index(c)], y._shape[other.index(c)]
        if n == 1 or m == 1:
            x = s.squeeze(x, letters.index(c)) if n == 1 else r.sum(x, letters.index(c))
            y = s.squeeze(y, other.index(c)) if m == 1 else r.sum(y, other.index(c))
            letters, other = [d for d in letters if d != c], [d for d in other if d != c]
            summed.remove(c)
            both.remove(c)
    batch = [c for c in both if c in later]
    for c in both:
        n, m = x._shape[letters.index(c)], y._shape[other.index(c)]
        if n != m:
            x = s.expand(x, [m if d == c else k for d, k in zip(letters, x._shape, strict=True)]
                         ) if n == 1 else x
            y = s.expand(y, [n if d == c else k for d, k in zip(other, y._shape, strict=True)]
                         ) if m == 1 else y
    left = [c for c in letters if c not in both]
    right = [c for c in other if c not in both]
    if not summed:  # a product of elements, which promotes types
        a = s.permute(x, [letters.index(c) for c in batch + left])
        b = s.permute(y, [other.index(c) for c in batch + right])
        a = s.reshape(a, a._shape + (1,) * len(right))
        b = s.reshape(b, b._shape[:len(batch)] + (1,) * len(left) + b._shape[len(batch):])
        return e.mul(a, b), batch + left + right
    a = s.permute(x, [letters.index(c) for c in batch + left + summed])
    b = s.permute(y, [other.index(c) for c in batch + summed + right])
    sizes = [math.prod(x._shape[letters.index(c)] for c in group) for group in (
        batch, left, summed)]
    columns = math.prod(y._shape[other.index(c)] for c in right)
    made = matmul(s.reshape(a, sizes), s.reshape(b, sizes[0], sizes[2], columns))
    shape = [x._shape[letters.index(c)] for c in batch + left] + [
        y._shape[other.index(c)] for c in right]
    return s.reshape(made, shape), batch + left + right


record_module(globals())
