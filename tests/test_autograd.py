"""What `backward` means: leaves, graphs that are kept or freed, hooks, modes, own functions."""

import gc
import threading

import numpy as np
import pytest

import lampion


@pytest.fixture
def x(torch):
    return torch.tensor([1.0, 2.0, 3.0], requires_grad=True)


class TestLeaves:
    def test_created_tensors_are_leaves(self, torch, x):
        y = x * 2
        assert x.is_leaf and x.requires_grad and x.grad_fn is None
        assert not y.is_leaf and y.requires_grad and y.grad_fn is not None
        assert torch.ones(2).is_leaf and not torch.ones(2).requires_grad

    def test_what_needs_no_gradient_is_a_leaf(self, torch, x):
        assert (torch.ones(2) * 2).is_leaf
        assert (x * 2).detach().is_leaf

    def test_requires_grad_spreads(self, torch, x):
        assert (x + torch.ones(3)).requires_grad
        assert not (x > 1).requires_grad
        assert not x.argmax().requires_grad

    def test_grad_fn_is_named_after_the_operation(self, torch, x):
        assert (x * 2).grad_fn.name() == "MulBackward0"
        assert "grad_fn=<MulBackward0>" in repr(x * 2)

    def test_requires_grad_can_be_switched_on_leaves_only(self, torch, x):
        weight = torch.ones(2)
        assert weight.requires_grad_() is weight and weight.requires_grad
        weight.requires_grad = False
        assert not weight.requires_grad
        with pytest.raises(RuntimeError, match="leaf"):
            (x * 2).requires_grad = False

    def test_only_floats_require_grad(self, torch):
        with pytest.raises(RuntimeError, match="(?i)floating"):
            torch.tensor([1, 2]).requires_grad_()

    def test_detach_shares_values_and_drops_the_graph(self, torch, x):
        y = (x * 2).detach()
        assert not y.requires_grad and y.tolist() == [2.0, 4.0, 6.0]
        z = x.detach()
        z[0] = 10.0
        assert x.tolist() == [10.0, 2.0, 3.0]

    def test_detach_in_place(self, torch, x):
        y = x * 2
        y.detach_()
        assert y.is_leaf and not y.requires_grad


class TestBackward:
    def test_gradient_of_a_sum(self, torch, x):
        (x * x).sum().backward()
        assert x.grad.tolist() == [2.0, 4.0, 6.0]

    def test_gradients_accumulate(self, torch, x):
        x.sum().backward()
        x.sum().backward()
        assert x.grad.tolist() == [2.0, 2.0, 2.0]

    def test_grad_is_none_before_and_can_be_reset(self, torch, x):
        assert x.grad is None
        x.sum().backward()
        x.grad = None
        (2 * x).sum().backward()
        assert x.grad.tolist() == [2.0, 2.0, 2.0]
        x.grad.zero_()
        assert x.grad.tolist() == [0.0, 0.0, 0.0]

    def test_assigned_grad_must_fit(self, torch, x):
        x.grad = torch.ones(3)
        x.sum().backward()
        assert x.grad.tolist() == [2.0, 2.0, 2.0]
        with pytest.raises(RuntimeError):
            x.grad = torch.ones(2)
        with pytest.raises(TypeError):
            x.grad = 1.0

    def test_intermediate_values_get_no_grad(self, torch, x):
        y = x * 2
        y.sum().backward()
        with pytest.warns(UserWarning, match="leaf"):
            assert y.grad is None

    def test_a_value_used_twice(self, torch, x):
        y = x * 2
        (y * y + y).sum().backward()
        assert x.grad.tolist() == [10.0, 18.0, 26.0]

    def test_given_gradient(self, torch, x):
        (x * 2).backward(torch.tensor([1.0, 0.0, -1.0]))
        assert x.grad.tolist() == [2.0, 0.0, -2.0]

    def test_gradient_must_have_the_shape(self, torch, x):
        with pytest.raises(RuntimeError, match="(?i)shape"):
            (x * 2).backward(torch.ones(2))

    def test_scalar_only_without_gradient(self, torch, x):
        with pytest.raises(RuntimeError, match="scalar"):
            (x * 2).backward()

    def test_no_graph(self, torch):
        with pytest.raises(RuntimeError, match="does not require grad"):
            torch.ones(()).backward()

    def test_one_element_of_any_shape_is_a_scalar(self, torch):
        x = torch.ones(1, 1, requires_grad=True)
        (x * 3).backward()
        assert x.grad.tolist() == [[3.0]]

    def test_a_leaf_itself(self, torch):
        x = torch.tensor(2.0, requires_grad=True)
        x.backward()
        assert x.grad.item() == 1.0

    def test_inputs_limits_who_accumulates(self, torch, x):
        y = torch.ones(3, requires_grad=True)
        (x * y).sum().backward(inputs=[x])
        assert x.grad.tolist() == [1.0, 1.0, 1.0] and y.grad is None

    def test_broadcast_sums(self, torch):
        row = torch.ones(1, 3, requires_grad=True)
        (row * torch.ones(4, 3)).sum().backward()
        assert row.grad.tolist() == [[4.0, 4.0, 4.0]]

    def test_torch_autograd_backward(self, torch, x):
        y = torch.ones(3, requires_grad=True)
        torch.autograd.backward([x.sum(), y * 2], [None, torch.ones(3)])
        assert x.grad.tolist() == [1.0] * 3 and y.grad.tolist() == [2.0] * 3

    def test_gradient_through_an_index(self, torch, x):
        x[1:].sum().backward()
        assert x.grad.tolist() == [0.0, 1.0, 1.0]

    def test_gradient_keeps_the_dtype(self, torch):
        x = torch.ones(2, dtype=torch.float64, requires_grad=True)
        x.float().sum().backward()
        assert x.grad.dtype is torch.float64


class TestKeptGraphs:
    def test_second_backward_is_an_error(self, torch, x):
        loss = (x * x).sum()
        loss.backward()
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()

    def test_second_backward_through_a_shared_part_is_an_error(self, torch, x):
        shared = x * x
        shared.sum().backward()
        with pytest.raises(RuntimeError, match="second time"):
            (shared * 2).sum().backward()

    def test_retain_graph(self, torch, x):
        loss = (x * x).sum()
        loss.backward(retain_graph=True)
        loss.backward()
        assert x.grad.tolist() == [4.0, 8.0, 12.0]

    def test_sums_need_nothing_kept(self, torch, x):
        loss = x.sum()
        loss.backward()
        loss.backward()
        assert x.grad.tolist() == [2.0, 2.0, 2.0]

    def test_create_graph(self, torch, x):
        (first,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        assert first.requires_grad
        (second,) = torch.autograd.grad(first.sum(), x)
        assert second.tolist() == [6.0, 12.0, 18.0]
        assert not second.requires_grad

    def test_gradient_penalty(self, torch):
        weight = torch.tensor([2.0], requires_grad=True)
        x = torch.tensor([3.0], requires_grad=True)
        (slope,) = torch.autograd.grad((weight * x * x).sum(), x, create_graph=True)
        ((slope - 1) ** 2).sum().backward()
        # slope = 2 w x = 12; d (slope - 1)^2 / dw = 2 * 11 * 2 x
        assert weight.grad.tolist() == [132.0]

    def test_third_order(self, torch):
        x = torch.tensor(2.0, requires_grad=True)
        y = x**4
        for expected in (32.0, 48.0, 48.0):
            (y,) = torch.autograd.grad(y, x, create_graph=True)
            assert y.item() == pytest.approx(expected)

    def test_backward_with_create_graph(self, torch, x):
        (x**3).sum().backward(create_graph=True)
        assert x.grad.requires_grad


class TestGrad:
    def test_does_not_accumulate(self, torch, x):
        (gradient,) = torch.autograd.grad((x * x).sum(), [x])
        assert gradient.tolist() == [2.0, 4.0, 6.0] and x.grad is None

    def test_several_outputs_add_up(self, torch, x):
        (gradient,) = torch.autograd.grad([x.sum(), (2 * x).sum()], x)
        assert gradient.tolist() == [3.0, 3.0, 3.0]

    def test_by_an_intermediate_value(self, torch, x):
        y = x * 2
        (gradient,) = torch.autograd.grad((y * y).sum(), y)
        assert gradient.tolist() == [4.0, 8.0, 12.0]

    def test_unused(self, torch, x):
        other = torch.ones(2, requires_grad=True)
        with pytest.raises(RuntimeError, match="allow_unused"):
            torch.autograd.grad(x.sum(), [x, other])
        assert torch.autograd.grad(x.sum(), [x, other], allow_unused=True)[1] is None
        zeros = torch.autograd.grad(x.sum(), [other], allow_unused=True, materialize_grads=True)
        assert zeros[0].tolist() == [0.0, 0.0]

    def test_input_must_require_grad(self, torch, x):
        with pytest.raises(RuntimeError, match="not require grad"):
            torch.autograd.grad(x.sum(), torch.ones(2))

    def test_grad_outputs(self, torch, x):
        (gradient,) = torch.autograd.grad(x * 2, x, grad_outputs=torch.tensor([1.0, 2.0, 3.0]))
        assert gradient.tolist() == [2.0, 4.0, 6.0]


class TestTensorHooks:
    def test_sees_and_changes_the_gradient(self, torch, x):
        seen = []
        y = x * 2
        y.register_hook(lambda gradient: seen.append(gradient.tolist()))
        y.register_hook(lambda gradient: gradient * 10)
        y.sum().backward()
        assert seen == [[1.0, 1.0, 1.0]]
        assert x.grad.tolist() == [20.0, 20.0, 20.0]

    def test_in_the_order_of_registration(self, torch, x):
        order = []
        for name in "abc":
            x.register_hook(lambda gradient, name=name: order.append(name))
        x.sum().backward()
        assert order == ["a", "b", "c"]

    def test_on_a_leaf_runs_before_accumulation(self, torch, x):
        x.register_hook(lambda gradient: gradient * 0)
        x.sum().backward()
        assert x.grad.tolist() == [0.0, 0.0, 0.0]

    def test_sees_the_sum_of_all_uses_once(self, torch, x):
        calls = []
        y = x * 1
        y.register_hook(lambda gradient: calls.append(gradient.tolist()))
        (y + y * 2).sum().backward()
        assert calls == [[3.0, 3.0, 3.0]]

    def test_removal(self, torch, x):
        calls = []
        handle = x.register_hook(calls.append)
        x.sum().backward()
        handle.remove()
        x.sum().backward()
        assert len(calls) == 1

    def test_needs_a_tensor_that_requires_grad(self, torch):
        with pytest.raises(RuntimeError, match="(?i)require"):
            torch.ones(2).register_hook(print)

    def test_retain_grad(self, torch, x):
        y = x * 2
        y.retain_grad()
        assert y.retains_grad and not x.retains_grad
        (y * 3).sum().backward()
        assert y.grad.tolist() == [3.0, 3.0, 3.0]

    def test_post_accumulate_grad_hook(self, torch, x):
        """The optimizer inside backward: step and forget as soon as the gradient is there."""

        def step(parameter):
            with torch.no_grad():
                parameter -= 0.5 * parameter.grad
            parameter.grad = None

        handle = x.register_post_accumulate_grad_hook(step)
        (x * x).sum().backward()
        assert x.tolist() == [0.0, 0.0, 0.0] and x.grad is None
        handle.remove()
        x.sum().backward()
        assert x.grad.tolist() == [1.0, 1.0, 1.0]

    def test_post_accumulate_grad_hook_wants_a_leaf(self, torch, x):
        with pytest.raises(RuntimeError, match="leaf"):
            (x * 2).register_post_accumulate_grad_hook(print)

    def test_an_error_in_a_hook_reaches_the_user(self, torch, x):
        handle = x.register_hook(lambda gradient: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            x.sum().backward()
        handle.remove()
        x.sum().backward()
        assert x.grad.tolist() == [1.0, 1.0, 1.0]


class TestModes:
    def test_no_grad(self, torch, x):
        with torch.no_grad():
            assert not torch.is_grad_enabled()
            y = x * 2
        assert torch.is_grad_enabled()
        assert not y.requires_grad and y.is_leaf

    def test_enable_grad_inside_no_grad(self, torch, x):
        with torch.no_grad(), torch.enable_grad():
            assert (x * 2).requires_grad

    def test_set_grad_enabled_as_function_and_block(self, torch, x):
        torch.set_grad_enabled(False)
        try:
            assert not (x * 2).requires_grad
        finally:
            torch.set_grad_enabled(True)
        with torch.set_grad_enabled(False):
            assert not (x * 2).requires_grad
        assert (x * 2).requires_grad

    def test_decorators(self, torch, x):
        @torch.no_grad()
        def with_parentheses():
            return x * 2

        @torch.no_grad
        def without_parentheses():
            return x * 2

        assert not with_parentheses().requires_grad
        assert not without_parentheses().requires_grad
        assert with_parentheses.__name__ == "with_parentheses"

    def test_generators_keep_their_mode_to_themselves(self, torch, x):
        @torch.no_grad()
        def batches():
            while True:
                received = yield torch.is_grad_enabled()
                if received == "stop":
                    return

        generator = batches()
        assert next(generator) is False
        assert torch.is_grad_enabled()
        assert next(generator) is False
        with pytest.raises(StopIteration):
            generator.send("stop")

    def test_mode_is_restored_after_an_error(self, torch):
        with pytest.raises(KeyError), torch.no_grad():
            raise KeyError
        assert torch.is_grad_enabled()

    def test_each_thread_has_its_own_mode(self, torch):
        seen = []
        with torch.no_grad():
            thread = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
            thread.start()
            thread.join()
        assert seen == [True]

    def test_created_in_no_grad_may_still_require_grad(self, torch):
        with torch.no_grad():
            assert torch.ones(2, requires_grad=True).requires_grad

    def test_inference_mode(self, torch, x):
        with torch.inference_mode():
            assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()
            y = x * 2
        assert not y.requires_grad and y.is_inference()
        assert not torch.is_inference_mode_enabled()

        @torch.inference_mode()
        def predict():
            return x * 3

        assert not predict().requires_grad

    def test_inference_mode_can_be_off(self, torch, x):
        with torch.inference_mode(False):
            assert (x * 2).requires_grad


class TestFunction:
    def test_forward_and_backward(self, torch, x):
        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, gradient):
                (x,) = ctx.saved_tensors
                return gradient * 2 * x

        y = Square.apply(x)
        assert y.requires_grad and y.grad_fn.name() == "SquareBackward"
        y.sum().backward()
        assert x.grad.tolist() == [2.0, 4.0, 6.0]

    def test_its_own_backward_counts(self, torch, x):
        class Reverse(torch.autograd.Function):
            """The gradient-reversal layer."""

            @staticmethod
            def forward(ctx, x, strength):
                ctx.strength = strength
                return x.clone()

            @staticmethod
            def backward(ctx, gradient):
                return -ctx.strength * gradient, None

        Reverse.apply(x, 0.5).sum().backward()
        assert x.grad.tolist() == [-0.5, -0.5, -0.5]

    def test_forward_runs_without_recording(self, torch, x):
        class Look(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                assert not torch.is_grad_enabled()
                return x * 2

            @staticmethod
            def backward(ctx, gradient):
                return gradient * 2

        assert Look.apply(x).requires_grad
        assert not Look.apply(torch.ones(2)).requires_grad
        with torch.no_grad():
            assert not Look.apply(x).requires_grad

    def test_needs_input_grad(self, torch, x):
        class Multiply(torch.autograd.Function):
            @staticmethod
            def forward(ctx, a, b):
                ctx.save_for_backward(a, b)
                return a * b

            @staticmethod
            def backward(ctx, gradient):
                a, b = ctx.saved_tensors
                needed.append(ctx.needs_input_grad)
                return gradient * b, None

        needed = []
        Multiply.apply(x, torch.full((3,), 5.0)).sum().backward()
        assert needed == [(True, False)]
        assert x.grad.tolist() == [5.0, 5.0, 5.0]

    def test_several_outputs(self, torch, x):
        class SumAndDifference(torch.autograd.Function):
            @staticmethod
            def forward(ctx, a, b):
                return a + b, a - b

            @staticmethod
            def backward(ctx, of_sum, of_difference):
                return of_sum + of_difference, of_sum - of_difference

        y = torch.ones(3, requires_grad=True)
        total, difference = SumAndDifference.apply(x, y)
        (total * 2 + difference).sum().backward()
        assert x.grad.tolist() == [3.0] * 3 and y.grad.tolist() == [1.0] * 3

    def test_unused_outputs_have_zero_gradients(self, torch, x):
        class Both(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2, x * 3

            @staticmethod
            def backward(ctx, first, second):
                received.append(second.tolist())
                return first * 2 + second * 3

        received = []
        Both.apply(x)[0].sum().backward()
        assert received == [[0.0, 0.0, 0.0]]
        assert x.grad.tolist() == [2.0, 2.0, 2.0]

    def test_set_materialize_grads(self, torch, x):
        class Both(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(False)
                return x * 2, x * 3

            @staticmethod
            def backward(ctx, first, second):
                received.append(second)
                return first * 2

        received = []
        Both.apply(x)[0].sum().backward()
        assert received == [None]

    def test_mark_non_differentiable(self, torch, x):
        class SortWithOrder(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                values, order = x.sort(descending=True)
                ctx.save_for_backward(order)
                ctx.mark_non_differentiable(order)
                return values, order

            @staticmethod
            def backward(ctx, of_values, of_order):
                (order,) = ctx.saved_tensors
                return torch.zeros_like(of_values).index_add(0, order, of_values)

        values, order = SortWithOrder.apply(x)
        assert values.requires_grad and not order.requires_grad
        (values * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
        assert x.grad.tolist() == [3.0, 2.0, 1.0]

    def test_once_differentiable(self, torch, x):
        class Cube(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x**3

            @staticmethod
            @torch.autograd.function.once_differentiable
            def backward(ctx, gradient):
                (x,) = ctx.saved_tensors
                return gradient * 3 * x**2

        (gradient,) = torch.autograd.grad((Cube.apply(x) * x).sum(), x, create_graph=True)
        assert gradient.tolist() == [4.0, 32.0, 108.0]
        with pytest.raises(RuntimeError, match="once_differentiable"):
            gradient.sum().backward()

    def test_setup_context(self, torch, x):
        class Square(torch.autograd.Function):
            @staticmethod
            def forward(x):
                return x * x

            @staticmethod
            def setup_context(ctx, inputs, output):
                (x,) = inputs
                ctx.save_for_backward(x)

            @staticmethod
            def backward(ctx, gradient):
                (x,) = ctx.saved_tensors
                return gradient * 2 * x

        Square.apply(x).sum().backward()
        assert x.grad.tolist() == [2.0, 4.0, 6.0]

    def test_backward_can_be_differentiated(self, torch, x):
        class Cube(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x**3

            @staticmethod
            def backward(ctx, gradient):
                (x,) = ctx.saved_tensors
                return gradient * 3 * x**2

        (first,) = torch.autograd.grad(Cube.apply(x).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), x)
        assert second.tolist() == [6.0, 12.0, 18.0]

    def test_wrong_number_of_gradients(self, torch, x):
        class Bad(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, gradient):
                return gradient, gradient

        with pytest.raises(RuntimeError, match="(?i)number of gradients"):
            Bad.apply(x).sum().backward()

    def test_gradient_of_the_wrong_shape(self, torch, x):
        class Bad(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, gradient):
                return gradient[:2]

        with pytest.raises(RuntimeError, match="(?i)shape"):
            Bad.apply(x).sum().backward()

    def test_saved_tensors_are_freed_with_the_graph(self, torch, x):
        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, gradient):
                (x,) = ctx.saved_tensors
                return gradient * 2 * x

        y = Square.apply(x).sum()
        y.backward()
        with pytest.raises(RuntimeError, match="second time"):
            y.backward()


class TestResilience:
    def test_an_error_in_the_middle_of_a_step_leaves_all_usable(self, torch):
        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        before = model.weight.tolist()
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                optimizer.zero_grad()
                loss = model(torch.ones(4, 3)).sum()
                loss.backward()
                raise ZeroDivisionError
            with pytest.raises(RuntimeError):
                model(torch.ones(4, 5))
        assert model.weight.tolist() == before
        optimizer.zero_grad()
        model(torch.ones(4, 3)).sum().backward()
        optimizer.step()
        for old, new in zip(before, model.weight.tolist()):
            assert new == pytest.approx([value - 0.4 for value in old])

    def test_a_loop_that_never_reads_its_loss_does_not_grow(self, torch):
        weight = torch.ones(3, requires_grad=True)
        optimizer = torch.optim.SGD([weight], lr=0.0)

        def steps(count):
            for _ in range(count):
                optimizer.zero_grad()
                loss = (weight * weight).sum()
                loss.backward()
                optimizer.step()
            gc.collect()
            return len(gc.get_objects())

        steps(50)
        before = steps(1)
        assert steps(10_000) < before + 500

    def test_a_running_sum_of_detached_losses_does_not_grow(self, torch):
        weight = torch.ones(3, requires_grad=True)

        def run(count):
            total = torch.zeros(())
            for _ in range(count):
                total += (weight * 2).sum().detach()
            assert total.item() == 6.0 * count
            if hasattr(torch, "set_replay"):
                torch.set_replay(True)  # drops its records, whose number is bounded
            gc.collect()
            return len(gc.get_objects())

        before = run(10)
        assert run(3000) < before + 2500  # a program that is kept holds some

    def test_a_long_chain_can_be_differentiated(self, torch):
        x = torch.ones(2, requires_grad=True)
        y = x
        for _ in range(3000):
            y = y + 1
        y.sum().backward()
        assert x.grad.tolist() == [1.0, 1.0]


def _operations_of_gradient(graph_of):
    x = lampion.ones(4, 6, requires_grad=True)
    graph_of(x).backward()
    seen, stack = {}, [x.grad._value]
    while stack:
        value = stack.pop()
        if value.order not in seen:
            seen[value.order] = value.op.name if value.op is not None else ""
            stack.extend(value.inputs)
    return list(seen.values())


def test_the_gradient_of_a_split_is_one_concatenation():
    def parts(x):
        q, k, v = x.split(2, dim=1)
        return (q * 2 + k * 3 + v * k).sum()

    names = _operations_of_gradient(parts)
    assert names.count("concat") == 1 and "slice_put" not in names


@pytest.mark.parametrize("ends", [((0, 3), (3, 6)), ((3, 6), (0, 3)), ((0, 4), (2, 6)),
                                  ((0, 2), (4, 6)), ((1, 5), (1, 5)), ((0, 6), (0, 3))])
def test_gradients_of_slices_add_up_where_they_overlap(torch, ends):
    x = torch.ones(4, 6, requires_grad=True)
    loss = (x * 0.5).sum()
    expected = np.full((4, 6), 0.5)
    for k, (begin, end) in enumerate(ends):
        loss = loss + (x[:, begin:end] * (k + 2)).sum()
        expected[:, begin:end] += k + 2
    loss.backward()
    np.testing.assert_array_equal(x.grad.numpy(), expected)


def test_a_gradient_of_another_shape_than_its_input_is_refused():
    """Kernels would write beyond the end of memory."""
    from lampion import grad, ir
    from lampion.ops.define import opaque

    wrong = opaque(
        "wrong_gradient", "Its gradient has one element more than its input.",
        meaning=lambda xp, x: x, result=lambda x: x.type,
        grad=lambda g, y, x: (ir.full((4,), 0, x.dtype),), kernel="none")
    ir.registry.pop("wrong_gradient", None)
    leaf = ir.leaf(np.zeros(3, np.float32), lampion.float32)
    leaf.tracked = True
    y = wrong(leaf)
    with pytest.raises(ir.VerifyError, match="wrong_gradient"):
        grad.spread(y, ir.full((3,), 1, lampion.float32))
