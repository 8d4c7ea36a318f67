"""Hooks around a module's call and its backward pass: order, replacement, removal."""

import warnings

import pytest


@pytest.fixture
def nn(torch):
    return torch.nn


class TestForward:
    def test_order(self, torch, nn):
        calls = []
        module = nn.Identity()
        module.register_forward_pre_hook(lambda m, args: calls.append("pre"))
        module.register_forward_pre_hook(lambda m, args: calls.append("pre first"), prepend=True)
        module.register_forward_hook(lambda m, args, out: calls.append("after"))
        module.register_forward_hook(lambda m, a, out: calls.append("after first"), prepend=True)
        module(torch.ones(1))
        assert calls == ["pre first", "pre", "after first", "after"]

    def test_replacement(self, torch, nn):
        module = nn.Identity()
        module.register_forward_pre_hook(lambda m, args: args[0] + 1)
        module.register_forward_pre_hook(lambda m, args: (args[0] * 10,))
        module.register_forward_hook(lambda m, args, out: out - args[0] / 2)
        assert module(torch.ones(1)).item() == 10

    def test_remove(self, torch, nn):
        module = nn.Identity()
        handle = module.register_forward_hook(lambda m, args, out: out * 0)
        with module.register_forward_hook(lambda m, args, out: out + 5):
            assert module(torch.ones(1)).item() == 5
        assert module(torch.ones(1)).item() == 0
        handle.remove()
        handle.remove()
        assert module(torch.ones(1)).item() == 1 and not module._forward_hooks

    def test_keywords(self, torch, nn):
        class Scale(nn.Module):
            def forward(self, x, factor=1):
                return x * factor

        module = Scale()
        seen = []
        module.register_forward_pre_hook(
            lambda m, args, kwargs: (args, {"factor": kwargs["factor"] + 1}), with_kwargs=True)
        module.register_forward_hook(
            lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
        module.register_forward_hook(lambda m, args, out: seen.append(len(args)))
        assert module(torch.ones(1), factor=2).item() == 3
        assert seen == [{"factor": 3}, 1]

    def test_bad_result_with_keywords(self, torch, nn):
        module = nn.Identity()
        module.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
        with pytest.raises(RuntimeError, match="must return None or a tuple"):
            module(torch.ones(1))

    def test_always_called(self, torch, nn):
        class Fails(nn.Module):
            def forward(self, x):
                raise ZeroDivisionError

        calls = []
        module = Fails()
        module.register_forward_hook(lambda m, args, out: calls.append("usual"))
        module.register_forward_hook(
            lambda m, args, out: calls.append(("always", out)), always_call=True)
        with pytest.raises(ZeroDivisionError):
            module(torch.ones(1))
        assert calls == [("always", None)]

    def test_always_called_hook_that_fails_itself(self, torch, nn):
        class Fails(nn.Module):
            def forward(self, x):
                raise ZeroDivisionError

        def worse(module, args, out):
            raise KeyError("hidden")

        module = Fails()
        module.register_forward_hook(worse, always_call=True)
        with pytest.warns(UserWarning, match="silenced"), pytest.raises(ZeroDivisionError):
            module(torch.ones(1))

    def test_global(self, torch, nn):
        calls = []
        hooks = nn.modules.module
        handles = [
            hooks.register_module_forward_pre_hook(lambda m, args: calls.append("global pre")),
            hooks.register_module_forward_hook(lambda m, args, out: calls.append("global after")),
        ]
        module = nn.Identity()
        module.register_forward_hook(lambda m, args, out: calls.append("after"))
        module(torch.ones(1))
        for handle in handles:
            handle.remove()
        module(torch.ones(1))
        assert calls == ["global pre", "global after", "after", "after"]


class TestBackward:
    def test_sees_gradients(self, torch, nn):
        layer = nn.Linear(2, 1, bias=False)
        seen = []
        layer.register_full_backward_hook(
            lambda m, grad_in, grad_out: seen.append((grad_in[0].tolist(), grad_out[0].tolist())))
        x = torch.ones(1, 2, requires_grad=True)
        (layer(x) * 3).sum().backward()
        assert seen == [(x.grad.tolist(), [[3.0]])]

    def test_replaces_grad_input(self, torch, nn):
        module = nn.Identity()
        module.register_full_backward_hook(lambda m, grad_in, grad_out: (grad_in[0] * 10,))
        x = torch.ones(1, requires_grad=True)
        module(x).sum().backward()
        assert x.grad.item() == 10

    def test_pre_hook_replaces_grad_output(self, torch, nn):
        order = []
        layer = nn.Linear(1, 1)
        layer.register_full_backward_hook(lambda m, grad_in, grad_out: order.append("hook"))
        layer.register_full_backward_pre_hook(lambda m, grad_out: order.append("pre"))
        layer.register_full_backward_pre_hook(lambda m, grad_out: (grad_out[0] * 5,))
        x = torch.ones(1, 1, requires_grad=True)
        layer(x).sum().backward()
        assert layer.bias.grad.item() == 5 and order == ["pre", "hook"]

    def test_inputs_that_are_no_tensors(self, torch, nn):
        class Power(nn.Module):
            def forward(self, x, exponent, y):
                return x ** exponent, y * 2

        seen = []
        module = Power()
        module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
        x = torch.tensor([3.0], requires_grad=True)
        first, second = module(x, 2, torch.ones(1))
        first.sum().backward()
        grad_in, grad_out = seen[0]
        assert grad_in[0].item() == 6 and grad_in[1] is None and grad_in[2].item() == 0
        assert grad_out[0].item() == 1 and grad_out[1] is None

    def test_without_input_gradients(self, torch, nn):
        seen = []
        layer = nn.Linear(1, 1)
        layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].item())))
        with pytest.warns(UserWarning, match="no inputs require gradients"):
            layer(torch.ones(1, 1)).sum().backward()
        assert seen == [((None,), 1.0)]

    def test_wrong_number(self, torch, nn):
        module = nn.Identity()
        module.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
        x = torch.ones(1, requires_grad=True)
        with pytest.raises(RuntimeError, match="got 2, but expected 1"):
            module(x).sum().backward()

    def test_no_grad(self, torch, nn):
        layer = nn.Linear(1, 1)
        layer.register_full_backward_hook(lambda m, gi, go: None)
        with torch.no_grad(), warnings.catch_warnings():
            assert not layer(torch.ones(1, 1)).requires_grad

    def test_hooks_see_every_layer_in_reverse(self, torch, nn):
        net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        order = []
        for name, layer in net.named_children():
            layer.register_full_backward_hook(lambda m, gi, go, name=name: order.append(name))
        net(torch.ones(1, 2, requires_grad=True)).sum().backward()
        assert order == ["2", "1", "0"]


def test_registration_hooks(torch, nn):
    names = []
    module_hooks = nn.modules.module
    handles = [
        module_hooks.register_module_parameter_registration_hook(
            lambda m, name, p: names.append(name)),
        module_hooks.register_module_module_registration_hook(
            lambda m, name, child: names.append(name)),
    ]
    nn.Sequential(nn.Linear(1, 1))
    for handle in handles:
        handle.remove()
    assert names == ["weight", "bias", "0"]
