"""The table of statements: one line of text is one kind of statement.

A line is a template with blanks (slots.py). After two spaces and `#` come its options: a number is
its weight within the family, a word the name of a guard. The value of an expression gets a name;
ACTIONS run as they stand; in WRITES the first blank is written in place.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

CREATION = """
torch.tensor({floats}, requires_grad=True)  # 14
torch.tensor({floats}, dtype={fdtype}, requires_grad=True)  # 3
torch.tensor({nested})  # 5
torch.tensor({nested}, dtype={dtype})  # 4 tame
torch.tensor({number})  # 2
torch.zeros({shape})
torch.zeros({count}, {count}, dtype={dtype})
torch.ones({shape}, dtype={dtype})
torch.ones({shape}, requires_grad=True)
torch.full({shape}, {number})  # tame
torch.full({shape}, {number}, dtype={dtype})  # tame
torch.arange({count})
torch.arange({int}, {int})
torch.arange({float}, {float}, {float})
torch.arange({int}, {int}, {int}, dtype={dtype})  # tame
torch.linspace({float}, {float}, {count})
torch.linspace({float}, {float}, {count}, dtype={fdtype})
torch.eye({count})
torch.eye({count}, {count}, dtype={dtype})
torch.zeros_like({t})
torch.ones_like({t}, dtype={dtype})
torch.full_like({t}, {number})  # tame
torch.zeros_like({t}, requires_grad=True)
torch.as_tensor({nested})
torch.as_tensor({t})
{t}.new_zeros({shape})
{t}.new_ones({shape}, dtype={dtype})
{t}.new_full({shape}, {number})  # tame
{t}.new_tensor({nested})  # tame
torch.Tensor({row})
torch.Tensor({count}, {count}).zero_()
torch.LongTensor([1, 0, 2])
"""

UNARY = """
-{t}  # 3
abs({t})
~{t}
+{t}
{f}.exp()  # 2
{f}.log()
torch.log2({t})
torch.log10({t})
torch.log1p({t})
torch.expm1({t})
{t}.sqrt()
torch.rsqrt({t})
{t}.abs()  # 2
torch.neg({t})
{t}.sign()
{t}.sgn()
torch.floor({t})
torch.ceil({t})
{f}.round()
torch.trunc({t})
torch.frac({f})
{t}.sin()
torch.cos({t})
torch.tan({t})
{t}.tanh()  # 2
torch.sinh({t})
torch.cosh({t})
torch.asin({t})
torch.acos({t})
torch.atan({t})
torch.asinh({t})
torch.atanh({t})
{t}.sigmoid()  # 2
torch.relu({t})  # 2
torch.erf({t})
torch.reciprocal({t})
torch.square({t})  # 2
torch.isnan({t})
torch.isinf({t})
torch.isfinite({t})
torch.logical_not({t})
torch.exp2({t})
torch.nan_to_num({f})
torch.nn.functional.softplus({f})
torch.nn.functional.gelu({f})
torch.nn.functional.silu({f})
torch.nn.functional.leaky_relu({f}, 0.5)
torch.nn.functional.elu({f})
torch.nn.functional.hardtanh({f})
torch.nn.functional.relu6({f})
torch.nn.functional.logsigmoid({f})
{f}.softmax({dim})  # 2
torch.softmax({f}, dim={dim})
{f}.log_softmax({dim})
torch.nn.functional.normalize({f}, dim={dim})
"""

ARITHMETIC = """
{t} + {o}  # 6
{t} - {o}  # 4
{t} * {o}  # 6
{t} / {o}  # 4
{f} + {of}  # 4
{f} * {of}  # 4
{f} - {of}  # 3
{t} // {o}
{t} % {o}
{t} ** {count}  # 2
{f} ** {float}
{t} ** {ot}
{number} - {t}
{number} + {t}
{number} * {t}
{number} / {f}
{number} ** {f}
{number} // {t}
{number} % {t}
torch.add({t}, {ot}, alpha={number})
torch.sub({t}, {o})
torch.mul({t}, {o})
torch.div({f}, {of}, rounding_mode={rounding})
torch.true_divide({t}, {o})
torch.floor_divide({t}, {o})
torch.remainder({t}, {o})
torch.fmod({t}, {o})
{t}.pow({count})
torch.maximum({t}, {ot})
torch.minimum({t}, {ot})
torch.fmax({f}, {of})
torch.atan2({f}, {of})
torch.hypot({f}, {of})
torch.lerp({f}, {of}, 0.25)
torch.addcmul({f}, {of}, {of}, value=0.5)
torch.addcdiv({f}, {of}, {of}, value=0.5)
{t} == {o}  # 2
{t} != {o}
{t} < {o}  # 2
{t} <= {o}
{t} > {o}  # 2
{t} >= {o}
torch.eq({t}, {o})
torch.logical_and({t}, {ot})
torch.logical_or({t}, {ot})
torch.logical_xor({t}, {ot})
{b} & {ot}
{b} | {ot}
{i} ^ {ot}
{i} & {int}
{i} << {count}
{i} >> {count}
torch.where({b}, {ot}, {ot})
torch.where({t} > 0, {t1}, {o})
torch.where({t} > {number}, {t1}, {t1} * 2)
{t}.where({mask}, {o})
{t}.clamp({bounds})  # 2
torch.clamp({t}, {bounds})
torch.clamp({f}, min={of})
{t}.masked_fill({mask}, {number})  # 2 tame
{f}.masked_fill({mask}, {float})
torch.isclose({f}, {of})
torch.equal({t}, {same})
torch.allclose({f}, {of})
"""

PRODUCTS = """
{m} @ {rhs}  # 4
torch.matmul({f}, {rhs})  # 3
torch.mm({m}, {rhs})
{m}.mm({rhs})
torch.bmm({m3}, {batch})
torch.dot({v}, {same})
torch.mv({m}, {rhs})
torch.outer({v}, {v})
torch.einsum({einsum})  # 4
torch.addmm({m}, {m}, {m})
torch.baddbmm({m3}, {m3}, {batch})
torch.nn.functional.linear({m}, {m})
torch.trace({m})
"""

REDUCTION = """
{t}.sum()  # 4
{t}.sum({dim})  # 3
{t}.sum({dims}, keepdim={flag})  # 2
{t}.sum(dtype={dtype})  # tame
torch.sum({t}, dim={dims}, dtype={fdtype})
{t}.sum(axis={dim}, keepdims={flag})
{f}.mean()  # 4
{f}.mean({dim})  # 2
{f}.mean(dim={dims}, keepdim={flag})
{t}.mean(dtype={fdtype})
{t}.prod()
{t}.prod({dim}, keepdim={flag})
{t}.max()  # 2
{t}.min()
{t}.max({dim})
torch.max({t}, dim={dim}, keepdim={flag})
{t}.min({dim})[0]
{t}.max({dim}).values
torch.max({t}, {ot})
{t}.amax({dims}, keepdim={flag})
{t}.amin({dim})
{t}.amax()
{t}.argmax()
{t}.argmax({dim}, keepdim={flag})
{t}.argmin({dim})
{f}.var()
{f}.var({dim}, unbiased={flag})
{f}.std({dim})
{f}.std({dims}, keepdim={flag})
torch.var({f}, dim={dims}, correction={count})
torch.var_mean({f}, {dim})
{f}.norm()  # 2
{f}.norm({ord})
{f}.norm({ord}, dim={dims}, keepdim={flag})
torch.norm({f}, dim={dim})
torch.linalg.vector_norm({f}, {ord}, dim={dims})
{t}.any()
{t}.any({dim}, keepdim={flag})
{t}.all()
{t}.all({dim})
{t}.cumsum({dim})  # 2
torch.cumsum({t}, {dim}, dtype={dtype})  # tame
{t}.cumprod({dim})
torch.logsumexp({f}, {dims})
torch.logsumexp({f}, {dim}, keepdim={flag})
torch.count_nonzero({t})
torch.count_nonzero({t}, {dim})
torch.nansum({f})
torch.sort({t}, dim={dim}, stable=True)
torch.sort({t}, dim={dim}, descending={flag}, stable=True)
torch.argsort({t}, dim={dim}, stable=True)
torch.topk({t}, 1)  # distinct
torch.median({v})  # distinct
{f}.median({dim})  # distinct
torch.unique({t})
torch.bincount({i})
torch.histc({v}, 4)
torch.diff({t})
torch.tril({m})
torch.triu({t}, {int})
torch.dist({f}, {of})
"""

VIEW = """
{t}.view({reshape})  # 4
{t}.view(-1)  # 2
{t}.view_as({same})
{t}.reshape({reshape})  # 3
torch.reshape({t}, {reshape})
{t}.transpose({dim}, {dim})  # 4
torch.transpose({t}, {dim}, {dim})
{t}.permute({perm})  # 3
{t}.t()  # 2
{t}.T  # 2
{t}.mT
{t}.squeeze()
{t}.squeeze({dim})  # 2
{t}.squeeze({dims})
{t}.unsqueeze({newdim})  # 3
{t}.expand({expand})  # 3
{t}.expand_as({same})
{t}.expand(-1, {count})
torch.broadcast_to({t}, {expand})
torch.broadcast_tensors({t}, {ot})
{t}.narrow({dim}, {span})  # 2
{t}.select({dim}, {at})  # 2
{t}[{at}:]
{t}[::2]  # 2
{t}[1:, :-1]
{t}[..., 1:]
{t}[{index}]  # 6
{t}.split({count}, {dim})  # 2
{t}.split({sections})
torch.split({t}, {count})
{t}.chunk({count}, {dim})  # 2
{t}.unbind({dim})  # 2
torch.tensor_split({t}, {count}, {dim})
{t}.diagonal()  # 2
torch.diagonal({t}, {int}, {dim}, {dim})
{t}.unfold({dim}, {window})  # 2
{t}.flatten()  # 2
{t}.flatten({dim}, {dim})
torch.flatten({t}, {dim})
{t}.unflatten({dim}, (-1, {count}))
{t}.movedim({dim}, {dim})
{t}.swapaxes({dim}, {dim})
{t}.ravel()
torch.atleast_2d({t})
torch.swapdims({t}, {dim}, {dim})
{t}.squeeze(-1)
{t}.contiguous()  # 2
{t}.clone()  # 3
{t}.detach()  # 4
{t}.data  # 2
{t}.detach().clone()
torch.clone({t})
torch.diag({m})
torch.diag({v})
"""

JOIN = """
torch.cat({cat})  # 5
torch.cat({stack})
torch.concat({cat})
torch.stack({stack})  # 3
torch.stack({stack}, dim={newdim})  # 2
torch.vstack({stack})
torch.hstack({stack})
{t}.repeat({repeats})  # 2
torch.tile({t}, {repeats})
{t}.repeat_interleave({count})
torch.repeat_interleave({t}, {count}, dim={dim})
{t}.flip({flips})  # 2
torch.roll({t}, {int}, {dim})
torch.roll({t}, {int})
torch.meshgrid({v}, {v}, indexing='ij')
torch.nn.functional.pad({t}, ({count}, {count}))
torch.nn.functional.one_hot({i})
"""

GATHER = """
{t}[{index}]  # 10
{t}[{mask}]  # 3
{t}[{mask}].sum()
{t}.gather({dim}, {gather})  # 2
torch.take({t}, {flat})
{t}.index_select({dim}, {positions})  # 2
torch.index_add({t}, {dim}, {two}, {slab})
torch.index_copy({t}, {dim}, torch.tensor([0]), {slab1})
{t}.index_fill({dim}, {positions}, {number})  # tame
{t}.scatter({dim}, {scatter}, {number})  # 2 tame
{f}.scatter_add({dim}, {gather}, {same})
{t}.scatter({dim}, {scatter}, {same})
torch.masked_select({t}, {mask})  # 2
torch.nonzero({t})  # 2
{t}.nonzero(as_tuple=True)
torch.take_along_dim({t}, {gather}, {dim})
torch.where({b})
torch.argwhere({t})
torch.searchsorted(torch.tensor([0.0, 1.0, 2.0]), {f})
torch.nn.functional.embedding({i}, {m})
"""

CAST = """
{t}.to({dtype})  # 4 tame
{t}.float()  # 2
{t}.double()  # 2
{t}.long()  # tame
{t}.int()  # tame
{t}.bool()
{t}.half()
{t}.bfloat16()
{t}.type({dtype})  # tame
{t}.to({ot})  # tame
{t}.type_as({ot})  # tame
{t}.to({fdtype}, copy=True)  # tame
{t}.cpu()
"""

PYTHON = """
{one}.item()  # 4
{t}.tolist()
{t}.sum().item()
len({t})
{t}.shape
{t}.size()
{t}.size({dim})
{t}.ndim
{t}.dim()
{t}.numel()
{t}.nelement()
{t}.dtype
{var}.requires_grad
{var}.is_leaf
{t}.element_size()
{t}.is_floating_point()
{t}.is_contiguous()
{t}.stride()
bool({one})
int({one})  # tame
float({one})
float({t})
[row for row in {t}]  # 2
list({t})
[row.sum() for row in {t}]
[{t}[0], {t1}]
({t}, {t1})
{number} in {t}
sum({v})
max({v})
copy.deepcopy({t})
copy.copy({t})
torch.is_tensor({t})
torch.is_grad_enabled()
torch.result_type({t}, {ot})
torch.promote_types({dtype}, {dtype})
"""

AUTOGRAD = """
torch.autograd.grad({loss}, {g})  # 4
torch.autograd.grad({loss}, [{g}, {g}], allow_unused=True)  # 3
torch.autograd.grad({loss}, {g}, create_graph=True)  # 3
torch.autograd.grad({loss}, {g}, create_graph=True, allow_unused=True)[0]  # 2
torch.autograd.grad({loss}, {g}, retain_graph=True, allow_unused=True)  # 2
torch.autograd.grad({loss}, [{g}])
torch.autograd.grad({g}, {g}, grad_outputs=torch.ones_like({g1}), allow_unused=True)  # 2
{graded}.grad  # 4
{graded}.grad.clone()
{g}.requires_grad_()  # alone
{f}.detach().requires_grad_()  # 3
{f}.clone().requires_grad_()
{f}.requires_grad_()  # alone
"""

ACTIONS = """
{loss}.backward()  # 16
{loss}.backward(retain_graph=True)  # 6
{loss}.backward(create_graph=True)  # 2
{g}.backward(torch.ones_like({g1}))  # 4
{g}.backward(gradient={same}.clone())  # 4
{g}.backward({same}.clone(), retain_graph=True)  # 2
({g} * {of}).sum().backward()  # 6
torch.autograd.backward([{loss}, {loss}])  # 2
{g}.backward()
{graded}.grad = None  # 2
{graded}.grad.zero_()  # 2
{graded}.grad = {same}
{graded}.grad += 1  # 2
{graded}.grad.mul_(0.5)
{g}.retain_grad()  # 5 hookable
{g}.register_hook(lambda grad: grad * 2)  # 3 hookable
{g}.register_hook(lambda grad: None)  # hookable
{g}.register_hook(lambda grad: grad.sum() + grad)  # hookable
{f}.requires_grad_()  # 3 alone
{t}.requires_grad_(False)  # 2 alone
{f}.requires_grad = True  # alone
{t}.requires_grad_()  # alone
{t}.data = {t1} * 2
{var}.detach_()  # 2
del {var}  # 2
"""

WRITES = """
{w}[{index}] = {value}  # 20 tame separate unrepeated
{wf}[{index}] = {value}  # 10 tame separate unrepeated
{w}[{mask}] = {number}  # 3 tame separate unrepeated
{w}[{index}] += {value}  # 3 tame separate unrepeated
{w}[{index}] *= {value}  # 2 tame separate unrepeated
{w}[{at}] = {w1}[0]  # 2 tame separate
{w}.add_({src})  # 8 separate
{wf}.add_({src})  # 6 separate
{w}.mul_({src})  # 6 separate
{wf}.mul_({src})  # 4 separate
{w}.sub_({src})  # 3 separate
{wf}.div_({src})  # 3 separate
{wf}.add_({srct}, alpha={number})  # 2 separate
{wf}.pow_({count})  # separate
{w}.floor_divide_({src})  # separate
{w}.remainder_({src})  # separate
{w}.zero_()  # 4 separate
{w}.fill_({number})  # 4 tame separate
{wf}.fill_({of})  # separate
{w}.copy_({srct})  # 6 tame separate
{wf}.clamp_({bounds})  # 2 separate
{wf}.exp_()  # 2 separate
{wf}.relu_()  # 2 separate
{wf}.sqrt_()  # separate
{wf}.tanh_()  # separate
{wf}.sigmoid_()  # separate
{w}.neg_()  # separate
{w}.abs_()  # separate
{w}.square_()  # separate
{w}.masked_fill_({mask}, {number})  # 3 tame separate unrepeated
{w}.transpose_({dim}, {dim})  # 2
{w}.squeeze_()  # 2
{w}.squeeze_({dim})
{w}.unsqueeze_({newdim})  # 2
{w}.t_()  # 2
{wf}.index_add_({dim}, {two}, {slab})  # separate
{w}.index_copy_({dim}, torch.tensor([0]), {slab1})  # separate
{w}.index_fill_({dim}, {positions}, {number})  # tame separate
{w}.scatter_({dim}, {scatter}, {number})  # 2 tame separate
{wf}.scatter_add_({dim}, {gather}, {same})  # separate
{wf}.lerp_({srct}, 0.5)  # separate
{wf}.addcmul_({of}, {of}, value=0.5)  # separate
{w}.resize_as_({same})
{w}.masked_scatter_({mask}, {same} * 1)  # separate
{i}.logical_not_()
{i}.eq_({number})
{w}.cumsum_({dim})  # separate
{wf}.tril_()  # separate unrepeated
"""

REBINDS = """
{var} += {o}  # 6 separate
{var} -= {o}  # 2 separate
{var} *= {o}  # 4 separate
{var} /= {o}  # 2 separate
{var} **= 2  # separate
{var} = {var1} + {o}  # 3
{var} = {var1} * {number}  # 3
{var} = {var1}.detach()  # 2
{var} = {var1}.clone()
"""

# What the body of a loop does besides ordinary statements; `i` counts its rounds.
LOOP_LINES = """
{var} = {var1} + {o}  # 4
{var} = torch.cat([{var1}, {var1}[:1]])  # 5
{var} = torch.cat([{var1}, {var1}[i:i + 1]], 0)  # 3
{var} = {var1}[1:]  # 3
{var} = {var1}[:-1] * 2  # 2
{var} = torch.stack([{var1}, {var1}])  # 2
{var} = {var1}.unsqueeze(0)  # 2
{var} = {var1}.sum(0, keepdim=True) + {var1}  # 2
{var} = {var1} * (i + 1)  # 2
{var} = torch.cat([{var1}.flatten(), {t}.flatten()[:i]])  # 3
{var} += {o}  # 3 separate
{w}[i] = {number}  # 4 tame separate
{w}[:i] += {number}  # 3 separate
{w}[..., i] = {w1}[..., 0]  # 2 separate
{w}[i].mul_({number})  # 2 separate
{loss}.backward()  # 2
({g} * i).sum().backward()  # 2
"""

HEADS = """
with torch.no_grad():  # 7
with torch.enable_grad():  # 3
with torch.inference_mode():  # 2
with torch.set_grad_enabled({flag}):  # 2
for i in range({count}):  # 8
for i in range(3):  # 4
for {fresh} in {t}:  # 3
if {one} > 0:  # 2
if ({t} == {o}).any():
"""


@dataclass(frozen=True)
class Template:
    """One kind of statement."""

    text: str
    family: str
    weight: int
    guards: tuple[str, ...]


def parse(family: str, table: str) -> list[Template]:
    """Read a table of templates."""
    found = []
    for line in table.strip().splitlines():
        text, _, options = line.partition("  # ")
        words = options.split()
        weight = next((int(word) for word in words if word.isdigit()), 1)
        found.append(Template(text, family, weight, tuple(w for w in words if not w.isdigit())))
    return found


FAMILIES: dict[str, list[Template]] = {
    "creation": parse("creation", CREATION),
    "arithmetic": parse("arithmetic", ARITHMETIC),
    "view": parse("view", VIEW),
    "write": parse("write", WRITES),
    "action": parse("action", ACTIONS),
    "reduction": parse("reduction", REDUCTION),
    "unary": parse("unary", UNARY),
    "gather": parse("gather", GATHER),
    "join": parse("join", JOIN),
    "product": parse("product", PRODUCTS),
    "autograd": parse("autograd", AUTOGRAD),
    "cast": parse("cast", CAST),
    "python": parse("python", PYTHON),
    "rebind": parse("rebind", REBINDS),
}
FAMILY_NAMES = tuple(FAMILIES)
# A program has a subject: how likely each family is in it, in the order of FAMILIES.
SUBJECTS: dict[str, tuple[int, ...]] = {
    "anything": (8, 14, 14, 18, 14, 8, 7, 6, 5, 5, 7, 4, 5, 5),
    "memory": (4, 5, 26, 34, 3, 2, 1, 5, 2, 1, 1, 2, 4, 6),
    "gradients": (3, 14, 14, 14, 20, 6, 6, 4, 4, 4, 12, 1, 1, 5),
    "values": (8, 24, 6, 4, 2, 18, 14, 12, 10, 8, 2, 8, 8, 2),
}
SUBJECT_NAMES = tuple(SUBJECTS)
LOOP = parse("loop", LOOP_LINES)
BLOCKS = parse("block", HEADS)
NAMED_FAMILIES = frozenset(
    ("creation", "arithmetic", "view", "reduction", "unary", "gather", "join", "product",
     "autograd", "cast", "python"))


def running_sums(weights: list[int]) -> tuple[int, ...]:
    return tuple(itertools.accumulate(weights))


SUBJECT_ENDS = {name: running_sums(list(weights)) for name, weights in SUBJECTS.items()}
TEMPLATE_ENDS = {name: running_sums([t.weight for t in items])
                 for name, items in FAMILIES.items()}
LOOP_ENDS = running_sums([t.weight for t in LOOP])
BLOCK_ENDS = running_sums([t.weight for t in BLOCKS])
KINDS = tuple(dict.fromkeys(
    [t.text for items in FAMILIES.values() for t in items]
    + [t.text for t in LOOP] + [t.text for t in BLOCKS]))
