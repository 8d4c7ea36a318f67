"""The base class: groups, hooks, closures, saving, errors."""

import copy
import importlib

import pytest

import lampion

torch = pytest.importorskip("torch")
BOTH = pytest.mark.parametrize("library", [lampion, torch], ids=["lampion", "pytorch"])


def parameter(library, *values):
    return library.tensor(values or [1.0], requires_grad=True)


def with_gradient(library, *values):
    tensor = parameter(library, *values)
    tensor.grad = library.ones(len(tensor))
    return tensor


@BOTH
def test_groups_have_their_own_settings(library):
    a, b = with_gradient(library), with_gradient(library)
    optimizer = library.optim.SGD([{"params": a, "lr": 0.5}, {"params": [b], "name": "b"}], lr=0.25)
    optimizer.step()
    assert (a.item(), b.item()) == (0.5, 0.75)
    assert optimizer.param_groups[1]["name"] == "b"
    c = with_gradient(library)
    optimizer.add_param_group({"params": [c], "lr": 1})
    optimizer.param_groups[0]["lr"] = 0.125
    optimizer.step()
    assert (a.item(), b.item(), c.item()) == (0.375, 0.5, 0)


@BOTH
def test_names_of_parameters(library):
    a, b = parameter(library), parameter(library)
    optimizer = library.optim.SGD([("a", a), ("b", b)], lr=1)
    assert optimizer.param_groups[0]["param_names"] == ["a", "b"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["a", "b"]
    with pytest.raises(ValueError):
        optimizer.add_param_group({"params": [parameter(library)]})
    with pytest.raises(ValueError):
        library.optim.SGD([("a", a), b], lr=1)


@BOTH
def test_zero_grad(library):
    a = with_gradient(library)
    gradient = a.grad
    optimizer = library.optim.SGD([a, parameter(library)], lr=1)
    optimizer.zero_grad(set_to_none=False)
    assert a.grad is gradient and gradient.item() == 0
    optimizer.zero_grad()
    assert a.grad is None


@BOTH
def test_closure(library):
    a = parameter(library, 3.0)
    optimizer = library.optim.SGD([a], lr=0.25)

    def closure():
        assert library.is_grad_enabled()
        optimizer.zero_grad()
        a.grad = 2 * a.detach()
        return (a.detach() ** 2).sum()

    with library.no_grad():
        assert optimizer.step(closure).item() == 9
    assert a.item() == 1.5
    assert optimizer.step() is None


@BOTH
def test_step_writes_in_place(library):
    a = with_gradient(library, 1.0, 2.0)
    alias, view, version = a.detach(), a.detach()[1:], a._version
    library.optim.SGD([a], lr=0.5).step()
    assert alias.tolist() == [0.5, 1.5]
    assert view.tolist() == [1.5]
    assert a._version > version
    assert a.is_leaf and a.requires_grad and a.grad.tolist() == [1, 1]


@BOTH
def test_momentum_is_a_copy_of_the_gradient(library):
    a = with_gradient(library)
    optimizer = library.optim.SGD([a], lr=1, momentum=0.5)
    optimizer.step()
    a.grad.zero_()
    assert optimizer.state[a]["momentum_buffer"].item() == 1


@pytest.mark.parametrize("name, settings", [
    ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"lr": 0.1, "amsgrad": True}), ("AdamW", {"lr": 0.1}),
    ("RMSprop", {"centered": True, "momentum": 0.5}), ("Adagrad", {}), ("Adadelta", {}),
    ("Adamax", {}), ("NAdam", {}), ("RAdam", {}), ("ASGD", {"t0": 1}), ("Rprop", {}),
])
def test_gradients_flow_through_a_differentiable_step(name, settings):
    def after_three_steps(start):
        value = start.clone()
        optimizer = getattr(lampion.optim, name)([value], differentiable=True, **settings)
        for _ in range(3):
            (value.grad,) = lampion.autograd.grad((value**3).sum(), value, create_graph=True)
            optimizer.step()
        return value

    start = lampion.tensor([1.0, 2.0, -0.5], dtype=lampion.float64, requires_grad=True)
    assert lampion.autograd.gradcheck(after_three_steps, [start])


@BOTH
def test_hooks_and_their_order(library):
    a = with_gradient(library)
    optimizer = library.optim.SGD([a], lr=1)
    seen = []
    modules = importlib.import_module(f"{library.__name__}.optim.optimizer")
    handles = [
        modules.register_optimizer_step_pre_hook(lambda o, args, kwargs: seen.append("all before")),
        modules.register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append("all after")),
    ]
    optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("before", a.item())))
    last = optimizer.register_step_post_hook(
        lambda o, args, kwargs: seen.append(("after", a.item())))
    optimizer.step()
    assert seen == ["all before", ("before", 1), ("after", 0), "all after"]
    for handle in (*handles, last):
        handle.remove()
    seen.clear()
    optimizer.step()
    assert seen == [("before", 0)]


@BOTH
def test_a_pre_hook_changes_the_arguments(library):
    optimizer = library.optim.SGD([with_gradient(library)], lr=1)
    handle = optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: "loss"), {}))
    assert optimizer.step() == "loss"
    handle.remove()
    optimizer.register_step_pre_hook(lambda o, args, kwargs: "nonsense")
    with pytest.raises(RuntimeError):
        optimizer.step()


@BOTH
def test_hooks_around_saving(library):
    a = parameter(library)
    optimizer = library.optim.SGD([a], lr=1)
    seen = []
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("second"))
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "extra": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: seen.append(state["extra"]))
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen == ["first", "second", 1, "loaded"]


@BOTH
def test_an_optimizer_of_ones_own(library):
    class Signs(library.optim.Optimizer):
        def __init__(self, params, lr=0.5):
            super().__init__(params, {"lr": lr})

        @library.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    state["steps"] = state.get("steps", 0) + 1
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    a = with_gradient(library)
    optimizer = Signs([a])
    seen = []
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(1))
    optimizer.step()
    assert a.item() == 0.5 and seen == [1]
    assert optimizer.state_dict() == {"state": {0: {"steps": 1}},
                                      "param_groups": [{"lr": 0.5, "params": [0]}]}
    library.optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.raises(NotImplementedError):
        library.optim.Optimizer([a], {}).step()


def test_an_update_rule_of_ones_own():
    class Signs(lampion.optim.Optimizer):
        """The two methods of lampion's optimizers, also for users."""

        def init(self, parameter, group):
            return {"seen": 0}

        def update(self, parameter, gradient, state, group):
            return parameter - group["lr"] * gradient.sign(), {"seen": state["seen"] + 1}

    a = with_gradient(lampion)
    optimizer = Signs([a], {"lr": 0.25})
    optimizer.step()
    optimizer.step()
    assert a.item() == 0.5 and optimizer.state[a] == {"seen": 2}


@BOTH
def test_saving_keeps_the_numbers_of_the_parameters(library):
    a, b, c = (with_gradient(library) for _ in range(3))
    optimizer = library.optim.Adam([{"params": [a, b]}, {"params": [c], "lr": 0.5}])
    b.grad = None
    optimizer.step()
    state = optimizer.state_dict()
    assert sorted(state["state"]) == [0, 2]
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2]]
    assert state["state"][2]["step"].item() == 1


@BOTH
def test_loading_takes_over_settings_and_casts_state(library):
    a = with_gradient(library)
    first = library.optim.Adam([a], lr=0.25, betas=(0.5, 0.75))
    first.step()
    b = a.detach().double().requires_grad_()
    b.grad = library.ones(1).double()
    second = library.optim.Adam([b])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.param_groups[0]["lr"] == 0.25
    assert second.param_groups[0]["betas"] == (0.5, 0.75)
    assert second.state[b]["exp_avg"].dtype == library.float64
    second.step()
    first.step()
    assert abs(a.item() - b.item()) < 1e-6


def test_loading_copies_the_state():
    a = with_gradient(lampion)
    first = lampion.optim.SGD([a], lr=1, momentum=0.5)
    first.step()
    saved = first.state_dict()
    second = lampion.optim.SGD([a], lr=1, momentum=0.5)
    second.load_state_dict(saved)
    second.step()
    assert saved["state"][0]["momentum_buffer"].item() == 1


@BOTH
def test_loading_what_does_not_fit(library):
    state = library.optim.SGD([parameter(library)], lr=1).state_dict()
    a, b = parameter(library), parameter(library)
    for other in ([a, b], [{"params": [a]}, {"params": [b]}]):
        with pytest.raises(ValueError):
            library.optim.SGD(other, lr=1).load_state_dict(state)


@BOTH
def test_an_old_state_dict_without_newer_settings(library):
    a = with_gradient(library)
    optimizer = library.optim.Adam([a])
    optimizer.step()
    state = optimizer.state_dict()
    for name in ("maximize", "foreach", "capturable", "differentiable", "fused"):
        del state["param_groups"][0][name]
    state["state"][0]["step"] = 5
    optimizer.load_state_dict(state)
    optimizer.step()
    assert optimizer.state_dict()["state"][0]["step"].item() == 6


@BOTH
def test_adamw_keeps_its_decay_when_adams_state_is_loaded(library):
    a = parameter(library)
    adamw = library.optim.AdamW([a])
    adamw.load_state_dict(library.optim.Adam([a]).state_dict())
    assert adamw.param_groups[0]["decoupled_weight_decay"] is True


@BOTH
def test_copies(library):
    a = with_gradient(library)
    optimizer = library.optim.SGD([a], lr=0.5, momentum=0.5)
    optimizer.step()
    twin = copy.deepcopy(optimizer)
    (b,) = twin.param_groups[0]["params"]
    b.grad = library.ones(1)
    twin.step()
    assert a.item() == 0.5 and b.item() == -0.25


@BOTH
def test_repr(library):
    text = repr(library.optim.SGD([parameter(library)], lr=0.5))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0\n")
    assert text.endswith("    weight_decay: 0\n)")


@BOTH
def test_duplicates(library):
    a = parameter(library)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        library.optim.SGD([a, a], lr=1)
    with pytest.raises(ValueError, match="more than one parameter group"):
        library.optim.SGD([{"params": [a]}, {"params": [a]}], lr=1)


@BOTH
def test_parameters_that_are_refused(library):
    SGD, a = library.optim.SGD, parameter(library)
    wrong = {
        TypeError: [lambda: SGD(a), lambda: SGD([a, 1.0]), lambda: SGD([{"params": {a}}]),
                    lambda: SGD([a]).add_param_group([a])],
        ValueError: [lambda: SGD([]), lambda: SGD([a * 2])],
    }
    for error, builds in wrong.items():
        for build in builds:
            with pytest.raises(error):
                build()


@BOTH
@pytest.mark.parametrize("name, settings", [
    ("SGD", {"lr": -1}), ("SGD", {"momentum": -1}), ("SGD", {"weight_decay": -1}),
    ("SGD", {"nesterov": True}), ("SGD", {"nesterov": True, "momentum": 1, "dampening": 1}),
    ("Adam", {"lr": -1}), ("Adam", {"eps": -1}), ("Adam", {"betas": (1.0, 0.9)}),
    ("Adam", {"betas": (0.9, -0.1)}), ("Adam", {"betas": (0, 0.9)}), ("Adam", {"lr": float("nan")}),
    ("AdamW", {"weight_decay": -1}), ("RMSprop", {"alpha": -1}), ("RMSprop", {"momentum": -1}),
    ("Adagrad", {"lr_decay": -1}), ("Adagrad", {"initial_accumulator_value": -1}),
    ("Adadelta", {"rho": 1.5}), ("Adamax", {"betas": (0.9, 1.0)}),
    ("NAdam", {"momentum_decay": -1}),
    ("RAdam", {"eps": -1}), ("ASGD", {"lr": -1}), ("Rprop", {"etas": (1.5, 1.2)}),
    ("Adafactor", {"d": 0.5}), ("Adafactor", {"beta2_decay": 0.5}), ("LBFGS", {"lr": -1}),
])
def test_settings_out_of_range(library, name, settings):
    with pytest.raises(ValueError):
        getattr(library.optim, name)([parameter(library)], **settings)


@BOTH
def test_settings_of_the_wrong_kind(library):
    with pytest.raises(TypeError):
        library.optim.SGD([parameter(library)], lr="0.1")
    with pytest.raises(ValueError):
        library.optim.SGD([parameter(library)], lr=library.ones(2))
    for other in ("foreach", "differentiable"):
        with pytest.raises(RuntimeError):
            library.optim.Adam([parameter(library)], fused=True, **{other: True})


@BOTH
@pytest.mark.parametrize("flag", ["foreach", "fused"])
def test_flags_of_other_implementations_change_nothing(library, flag):
    a, b = with_gradient(library), with_gradient(library)
    library.optim.Adam([a], **{flag: True}).step()
    library.optim.Adam([b]).step()
    assert a.item() == pytest.approx(b.item(), abs=1e-7)


def test_the_message_says_what_to_write():
    with pytest.raises(TypeError, match=r"write instead: SGD\(\[parameter\], ...\)"):
        lampion.optim.SGD(lampion.ones(1, requires_grad=True))
