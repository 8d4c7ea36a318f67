"""Training loops as people write them. Each returns all that it saw and all that is left.

A scenario is a function of the library; it is run with and without replay, and the numbers must
be the same to the last bit.
"""

from __future__ import annotations

import copy
from typing import Any

SCENARIOS: dict[str, Any] = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def batches(torch, count, size=4, width=3, classes=0):
    """Return batches of inputs and targets, made beforehand."""
    generator = torch.Generator().manual_seed(7)
    found = []
    for _ in range(count):
        x = torch.randn(size, width, generator=generator)
        y = (torch.randint(0, classes, (size,), generator=generator) if classes
             else torch.randn(size, 1, generator=generator))
        found.append((x, y))
    found[0][0].sum().item()
    return found


def network(torch, width=3, out=1):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(width, 5), torch.nn.Tanh(), torch.nn.Linear(5, out))


def left(model, *optimizers):
    """Return the numbers of a model, its gradients, and optimizers' state."""
    found = [p.detach().tolist() for p in model.parameters()]
    found += [None if p.grad is None else p.grad.tolist() for p in model.parameters()]
    found += [b.tolist() for b in model.buffers()]
    for optimizer in optimizers:
        for state in optimizer.state_dict()["state"].values():
            found += [s.tolist() if hasattr(s, "tolist") else s for s in state.values()]
    return found


def loop(torch, optimizer_of, steps=6, before=None, after=None):
    model = network(torch)
    optimizer = optimizer_of(model.parameters())
    seen = []
    for step, (x, y) in enumerate(batches(torch, steps)):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        if before is not None:
            before(step, model, optimizer)
        optimizer.step()
        if after is not None:
            after(step, model, optimizer)
        seen.append(loss.item())
    return seen, left(model, optimizer)


OPTIMIZERS = {
    "SGD": {"lr": 0.1}, "momentum": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    "Adam": {"lr": 0.01}, "AdamW": {"lr": 0.01, "amsgrad": True}, "RMSprop": {"lr": 0.01},
    "Adagrad": {"lr": 0.1}, "Adadelta": {}, "Adamax": {}, "NAdam": {}, "RAdam": {"lr": 0.1},
    "Rprop": {}, "ASGD": {}, "Adafactor": {},
}
for _name, _settings in OPTIMIZERS.items():
    def _with(torch, name=_name, settings=_settings):
        kind = getattr(torch.optim, "SGD" if name == "momentum" else name)
        return loop(torch, lambda p: kind(p, **settings))
    SCENARIOS[f"optimizer {_name}"] = _with


@scenario
def loss_read_before_backward(torch):
    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches(torch, 6):
        loss = ((model(x) - y) ** 2).mean()
        seen.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return seen, left(model)


@scenario
def loss_read_now_and_then(torch):
    model, seen = network(torch), []
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for step, (x, y) in enumerate(batches(torch, 9)):
        out = model(x)
        loss = ((out - y) ** 2).mean()
        if step % 3 == 2:
            seen.append((f"{loss.item():.4f}", out.detach().numpy().tolist(), str(loss)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return seen, left(model)


@scenario
def sums_of_detached_losses(torch):
    model, total = network(torch), torch.zeros(())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches(torch, 6):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        total += loss.detach()
    return total.item(), left(model)


@scenario
def sums_of_attached_losses(torch):
    model, total = network(torch), 0.0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches(torch, 5):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        total = total + loss
    return total.item(), total.requires_grad, left(model)


@scenario
def accumulated_gradients(torch):
    model = network(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    for step, (x, y) in enumerate(batches(torch, 12)):
        loss = ((model(x) - y) ** 2).mean() / 3
        loss.backward()
        if step % 3 == 2:
            optimizer.step()
            optimizer.zero_grad()
    return left(model, optimizer)


@scenario
def gradients_never_forgotten(torch):
    model = network(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for x, y in batches(torch, 6):
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
    return left(model)


@scenario
def gradients_set_to_zero(torch):
    model = network(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches(torch, 6):
        optimizer.zero_grad(set_to_none=False)
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
    return left(model)


@scenario
def gradients_set_by_hand(torch):
    model = network(torch)
    for step, (x, y) in enumerate(batches(torch, 8)):
        for p in model.parameters():
            p.grad = None if step % 3 else torch.ones_like(p) * 0.1
        ((model(x) - y) ** 2).mean().backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
    return left(model)


@scenario
def updates_through_data(torch):
    model = network(torch)
    for x, y in batches(torch, 6):
        model.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        for p in model.parameters():
            p.data.add_(p.grad.data, alpha=-0.1)
    return left(model)


@scenario
def clipped_by_norm(torch):
    norms = []
    return loop(torch, lambda p: torch.optim.SGD(p, lr=0.5), before=lambda s, m, o: norms.append(
        torch.nn.utils.clip_grad_norm_(m.parameters(), 0.3))), [n.item() for n in norms]


@scenario
def clipped_by_value(torch):
    return loop(torch, lambda p: torch.optim.SGD(p, lr=0.5), before=lambda s, m, o:
                torch.nn.utils.clip_grad_value_(m.parameters(), 0.05))


@scenario
def scheduled(torch):
    model, rates = network(torch), []
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.7)
    for x, y in batches(torch, 6):
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr())
    return rates, left(model, optimizer)


@scenario
def changing_numbers(torch):
    model, seen = network(torch), []
    for step, (x, _y) in enumerate(batches(torch, 8)):
        weight = [0.5, 1.0, 0.0, -0.0, float("inf"), 2, True, 0.25][step]
        out = model(x * weight + step) / (step + 1.5)
        seen.append((out - 0.1 * step).sum().item())
    return seen


@scenario
def last_batch_is_smaller(torch):
    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = batches(torch, 3) + batches(torch, 1, size=2)
    for _ in range(4):
        for x, y in data:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
    return seen, left(model)


@scenario
def pieces_of_a_tensor(torch):
    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, targets = batches(torch, 1, size=14)[0]
    for _ in range(3):
        for begin in range(0, 14, 4):
            x, y = inputs[begin:begin + 4], targets[begin:begin + 4]
            optimizer.zero_grad()
            loss = ((model(x.view(-1, 3)) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        order = torch.randperm(14)
        inputs, targets = inputs[order], targets[order]
    return seen, left(model)


@scenario
def columns_of_a_tensor(torch):
    data, seen = batches(torch, 1, size=6)[0][0], []
    for k in range(6):
        a, b = data[:, k % 3], data[k]
        seen.append(((a * 2).sum() + (b * b).sum() + data[k, k % 3]).item())
        if k == 3:
            data[:, 0] = 9.0
    return seen


@scenario
def training_and_evaluation(torch):
    model, seen = network(torch, out=4), []
    model = torch.nn.Sequential(model, torch.nn.Dropout(0.3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = batches(torch, 3, classes=4)
    for _ in range(4):
        model.train()
        for x, y in data:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        model.eval()
        right = 0
        with torch.no_grad():
            for x, y in data:
                right += (model(x).argmax(1) == y).sum().item()
        seen.append((loss.item(), right))
    return seen, left(model)


@scenario
def evaluation_that_records_gradients(torch):
    model, right = network(torch, out=4), []
    for _ in range(3):
        for x, y in batches(torch, 3, classes=4):
            scores = model(x)
            right.append((scores.argmax(1) == y).float().mean().item())
    return right, scores.requires_grad, scores.grad_fn is not None


@scenario
def evaluation_in_inference_mode(torch):
    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches(torch, 6):
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
        with torch.inference_mode():
            out = model(x)
            seen.append((out.sum().item(), out.is_inference()))
    return seen, left(model)


@scenario
def normalised(torch):
    torch.manual_seed(1)
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = []
    for step, (x, y) in enumerate(batches(torch, 8)):
        model.train(step % 4 != 3)
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        if step % 2:
            seen.append(model[1].running_mean.tolist())
    return seen, left(model)


@scenario
def random_draws(torch):
    torch.manual_seed(3)
    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(5)
    for step, (x, y) in enumerate(batches(torch, 7)):
        noise = torch.randn(4, 3) * 0.1 + torch.rand(4, 3, generator=generator)
        optimizer.zero_grad()
        out = torch.nn.functional.dropout(model(x + noise), 0.4)
        loss = ((out - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
        if step == 3:
            torch.manual_seed(11)
        if step == 5:
            out.grad_fn  # noqa: B018 - a look at the inside
    return seen, torch.get_rng_state().tolist(), generator.get_state().tolist(), left(model)


@scenario
def adversaries(torch):
    """A generator and a discriminator, each with an optimizer."""
    maker, judge, seen = network(torch, out=3), network(torch), []
    first = torch.optim.Adam(maker.parameters(), lr=0.05)
    second = torch.optim.Adam(judge.parameters(), lr=0.05)
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits
    for x, _ in batches(torch, 6):
        second.zero_grad()
        fake = maker(torch.randn(4, 3))
        ones, zeros = torch.ones(4, 1), torch.zeros(4, 1)
        loss = loss_of(judge(x), ones) + loss_of(judge(fake.detach()), zeros)
        loss.backward()
        second.step()
        first.zero_grad()
        other = loss_of(judge(fake), ones)
        other.backward()
        first.step()
        seen.append((loss.item(), other.item()))
    return seen, left(maker, first), left(judge, second)


@scenario
def teacher_and_student(torch):
    teacher, student = network(torch), network(torch)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.2)
    for x, _ in batches(torch, 6):
        with torch.no_grad():
            target = teacher(x)
        loss = (student(x) * 2 - target).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
                t.mul_(0.9).add_(s.detach(), alpha=0.1)
    return left(teacher), left(student)


@scenario
def copied_parameters(torch):
    model = network(torch)
    shadow = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for step, (x, y) in enumerate(batches(torch, 7)):
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
        if step % 2:
            shadow.load_state_dict(model.state_dict())
        else:
            with torch.no_grad():
                for s, p in zip(shadow.parameters(), model.parameters(), strict=True):
                    s.copy_(0.5 * s + 0.5 * p)
    return left(model), left(shadow)


@scenario
def actor_and_critic(torch):
    """Episodes of changing length, with a read in every step."""
    actor, critic, seen = network(torch, out=2), network(torch), []
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()], lr=0.02)
    for length in (3, 4, 3, 2, 4, 3):
        state, logs, values, rewards = torch.tensor([[0.1, 0.2, 0.3]]), [], [], []
        for _ in range(length):
            chances = torch.softmax(actor(state), 1)
            action = torch.multinomial(chances.detach(), 1).item()
            logs.append(chances[0, action].log())
            values.append(critic(state)[0, 0])
            rewards.append(float(action))
            state = state * 0.9 + action * 0.1
        returns = torch.tensor([sum(rewards[k:]) for k in range(length)])
        values, logs = torch.stack(values), torch.stack(logs)
        gain = returns - values
        loss = -(logs * gain.detach()).sum() + (gain ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append((length, loss.item()))
    return seen, left(actor), left(critic)


@scenario
def a_branch_on_a_value(torch):
    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for x, y in batches(torch, 8):
        out = model(x)
        if out.sum() > 0:
            out = out.relu() + 0.1
        else:
            out = torch.nn.functional.gelu(out)
        loss = (out - y).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    return seen, left(model)


@scenario
def hooks_that_come_and_go(torch):
    model, seen, grads = network(torch), [], []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    handle = None
    for step, (x, y) in enumerate(batches(torch, 9)):
        if step == 3:
            handle = model[0].weight.register_hook(lambda g: g * 2)
        if step == 6:
            handle.remove()
        optimizer.zero_grad()
        out = model(x)
        if step % 4 == 1:
            out.register_hook(lambda g: grads.append(g.tolist()))
        if step % 4 == 2:
            out.retain_grad()
        loss = ((out - y) ** 2).mean()
        loss.backward()
        if step % 4 == 2:
            grads.append(out.grad.tolist())
        optimizer.step()
        seen.append(loss.item())
    return seen, grads, left(model)


@scenario
def frozen_for_a_while(torch):
    model = network(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, (x, y) in enumerate(batches(torch, 9)):
        model[0].requires_grad_(step % 3 != 1)
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
    return left(model)


@scenario
def errors_in_the_middle(torch):
    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, (x, y) in enumerate(batches(torch, 9)):
        optimizer.zero_grad()
        try:
            out = model(x)
            if step % 4 == 2:
                out = out @ torch.ones(7, 7)
            loss = ((out - y) ** 2).mean()
            loss.backward()
            if step % 4 == 3:
                loss.backward()
            optimizer.step()
        except RuntimeError as error:
            seen.append(str(error).splitlines()[0])
    return seen, left(model)


@scenario
def wrong_labels(torch):
    model, seen = network(torch, out=4), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, (x, y) in enumerate(batches(torch, 7, classes=4)):
        labels = torch.tensor([9, 0, 0, 0]) if step == 4 else y
        labels = torch.tensor([-3, 0, 0, 0]) if step == 5 else labels
        optimizer.zero_grad()
        try:
            loss = torch.nn.functional.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        except IndexError as error:
            seen.append(str(error).splitlines()[0])
    return seen, left(model)


@scenario
def positions_from_the_end(torch):
    table, seen = torch.arange(12.0).reshape(6, 2) * 1.5, []
    for k in range(5):
        rows = torch.tensor([k, -1 - k, 2])
        seen.append((table[rows] * 2).tolist())
    return seen


@scenario
def a_time_loop(torch):
    torch.manual_seed(2)
    cell, out = torch.nn.Linear(5, 4), torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam([*cell.parameters(), *out.parameters()], lr=0.01)
    seen = []
    for length in (3, 5, 3, 5, 4, 5):
        h, states = torch.zeros(2, 4), []
        x = torch.full((length, 2, 1), 0.3) * length
        for t in range(length):
            h = torch.tanh(cell(torch.cat([x[t], h], 1)))
            states.append(h)
        loss = (out(torch.stack(states)) - 1).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    return seen, left(cell), left(out)


@scenario
def views_and_writes(torch):
    seen, total = [], torch.zeros(3)
    base = torch.arange(6.0)
    for k in range(6):
        x = base * 2 + k
        rows = x.view(2, 3)
        rows[0] += 1
        rows.mul_(0.5)
        total += rows[1]
        top = x[:3]
        top.zero_()
        seen.append((x.tolist() if k % 2 else rows.sum().item(), top.tolist()))
        if k == 3:
            rows.t_()
    return seen, total.tolist(), rows.tolist(), x.tolist()


@scenario
def several_results(torch):
    seen = []
    for x, _ in batches(torch, 5):
        values, indices = x.max(1)
        a, b = x.chunk(2)
        top = torch.topk(x, 2, 1)
        seen.append((values.tolist(), indices.tolist(), (a * b).tolist(), top.values.tolist(),
                     type(top).__name__, [row.sum().item() for row in x]))
    return seen


@scenario
def second_derivatives(torch):
    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for x, y in batches(torch, 5):
        x = x.clone().requires_grad_()
        out = model(x)
        (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        loss = ((out - y) ** 2).mean() + slope.pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    return seen, left(model)


@scenario
def two_losses_of_one_graph(torch):
    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for x, y in batches(torch, 5):
        out = model(x)
        first, second = (out - y).pow(2).mean(), out.abs().mean()
        optimizer.zero_grad()
        first.backward(retain_graph=True)
        second.backward()
        optimizer.step()
        seen.append(first.item() + second.item())
    return seen, left(model)


@scenario
def results_that_are_kept(torch):
    model, kept = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, (x, y) in enumerate(batches(torch, 8)):
        optimizer.zero_grad()
        out = model(x)
        hidden = out * 2
        loss = (hidden - y).pow(2).mean()
        loss.backward()
        optimizer.step()
        if step % 2:
            kept.append(out)
        if step % 3 == 1:
            kept.append(hidden.detach())
    del out, hidden
    for k in kept:
        with torch.no_grad():
            k.add_(1)
    return [k.tolist() for k in kept], [k.requires_grad for k in kept], left(model)


@scenario
def a_module_of_one_s_own(torch):
    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.Linear(3, 3) for _ in range(3)])
            self.norm = torch.nn.LayerNorm(3)
            self.register_buffer("seen", torch.zeros((), dtype=torch.long))

        def forward(self, x):
            self.seen += x.shape[0]
            for layer in self.layers:
                x = x + torch.nn.functional.gelu(layer(self.norm(x)))
            return x.mean(1, keepdim=True)

    torch.manual_seed(0)
    model = Residual()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    seen = []
    for x, y in batches(torch, 5):
        optimizer.zero_grad()
        loss = torch.nn.functional.smooth_l1_loss(model(x), y)
        loss.backward()
        optimizer.step()
        seen.append((loss.item(), model.seen.item()))
    return seen, left(model)


@scenario
def a_function_of_one_s_own(torch):
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 + 0 * x

    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches(torch, 5):
        optimizer.zero_grad()
        loss = (Double.apply(model(x)) - y).pow(2).mean()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    return seen, left(model)


@scenario
def attributes_of_tensors(torch):
    seen = []
    for x, _ in batches(torch, 4):
        y = x * 2
        seen.append(getattr(y, "note", None))
        y.note = "mine"
        seen.append((y.shape, y.dtype, y.requires_grad, y.is_leaf, y.grad_fn is None,
                     y.stride(), len(y), y.numel(), y.is_contiguous(), y._version))
        y += 1
        seen.append((y._version, y.sum().item()))
        del y
    return [str(s) for s in seen]


@scenario
def another_default_dtype(torch):
    seen = []
    try:
        for k in range(4):
            torch.set_default_dtype(torch.float64 if k == 2 else torch.float32)
            x = torch.zeros(3) + 0.1
            seen.append((str(x.dtype), x.sum().item()))
    finally:
        torch.set_default_dtype(torch.float32)
    return seen


@scenario
def closure_of_an_optimizer(torch):
    model, seen = network(torch), []
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    (x, y), = batches(torch, 1)

    def closure():
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        return loss

    for _ in range(3):
        seen.append(float(optimizer.step(closure)))
    return seen, left(model)


@scenario
def saved_in_the_middle(torch):
    def after(step, model, optimizer):
        if step == 3:
            states.append(copy.deepcopy((model.state_dict(), optimizer.state_dict())))
        if step == 4:
            model.load_state_dict(states[0][0])
            optimizer.load_state_dict(states[0][1])

    states: list = []
    return loop(torch, lambda p: torch.optim.Adam(p, lr=0.05), steps=8, after=after)


@scenario
def memory_shared_with_numpy(torch):
    import numpy as np

    model, seen = network(torch), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    array = np.ones((4, 3), np.float32)
    for step in range(6):
        array += 0.1 * step
        x = torch.from_numpy(array)
        optimizer.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
        lent = model[0].bias.detach().numpy()
        if step == 3:
            lent += 1
        del lent
    return seen, left(model)


@scenario
def positions_made_in_each_step(torch):
    torch.manual_seed(0)
    words, places = torch.nn.Embedding(7, 4), torch.nn.Embedding(5, 4)
    optimizer = torch.optim.SGD([*words.parameters(), *places.parameters()], lr=0.1)
    seen = []
    for step in range(6):
        tokens = torch.tensor([[step % 7, 1, 2], [3, step % 4, 6]])
        x = words(tokens) + places(torch.arange(tokens.shape[1]))
        loss = x.pow(2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    with torch.no_grad():
        for bad in (6, 7):  # a position outside the table is still noticed
            try:
                seen.append(words(torch.tensor([bad, 0])).sum().item())
            except IndexError:
                seen.append("refused")
    return seen, left(words), left(places)


@scenario
def pieces_of_temporary_pieces(torch):
    """Inputs and targets of a language model: two parts of the same tokens, one reshaped."""
    tokens = torch.arange(24).reshape(4, 6) % 5
    tokens.sum().item()
    table = torch.nn.Embedding(5, 5)
    optimizer = torch.optim.SGD(table.parameters(), lr=0.1)
    seen = []
    for step in range(6):
        rows = torch.arange(24).reshape(4, 6) * (step + 1) % 5
        rows.sum().item()
        logits = table(rows[:-1])
        targets = rows[1:].reshape(-1)
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 5), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += [loss.item(), targets.tolist(), targets.storage_offset()]
        targets.fill_(0)
        seen.append(rows.tolist())
    return seen, left(table, optimizer)


@scenario
def pieces_of_one_memory_or_of_two(torch):
    """The same calls on two parts of one tensor, then on parts of two tensors."""
    tensors = [torch.arange(12.0) + 100 * k for k in range(4)]
    for tensor in tensors:
        tensor.sum().item()
    seen = []
    for a, b in [(0, 0), (1, 1), (0, 1), (2, 3), (3, 3), (1, 0)] * 2:
        product = tensors[a][:8] * 2
        kept = tensors[b][4:].reshape(2, 4)
        shifted = kept.t()
        total = (product.sum() + (kept * 3).sum()).item()
        kept[0, 0] += 1
        seen += [total, kept.tolist(), shifted.tolist(), tensors[b].tolist()]
    return seen


@scenario
def states_that_are_detached(torch):
    """A recurrent network whose state goes on without its gradient path, both held at the read."""
    torch.manual_seed(3)
    cell, head = torch.nn.GRUCell(3, 4), torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam([*cell.parameters(), *head.parameters()], lr=0.01)
    state, seen = torch.zeros(2, 4), []
    for step, (x, y) in enumerate(batches(torch, 10, size=2)):
        h = cell(x, state)
        state = h.detach()
        loss = ((head(h) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += [loss.item(), h.requires_grad, state.requires_grad, h._version]
        if step in (4, 7):  # a write to either reaches both
            state.mul_(0.5)
            seen += [h.tolist(), state.tolist(), h._version, state._version]
        if step == 8:
            with torch.no_grad():
                h.add_(1)
            seen += [h.tolist(), state.tolist()]
            array = state.numpy()
            array[0, 0] = 7
            seen += [h.tolist(), state.tolist()]
    return seen, left(cell, optimizer)


@scenario
def walks_that_need_nothing_twice(torch):
    """A path whose rules read only the gradient can be walked again after the loss was read."""
    weight = torch.nn.Parameter(torch.ones(3))
    seen = []
    for _ in range(5):
        total = weight.sum() + 1
        total.backward()
        seen.append(total.item())
        total.backward()
        seen.append(weight.grad.tolist())
    return seen


@scenario
def walks_that_need_what_is_gone(torch):
    """A state behind a path that was walked: another walk fails where it is asked for."""
    torch.manual_seed(1)
    lstm, head = torch.nn.LSTM(2, 3), torch.nn.Linear(3, 1)
    seen = []
    x = torch.randn(4, 2, 2)
    x.sum().item()
    for _ in range(5):
        out, (h, c) = lstm(x)
        loss = head(out).sum()
        loss.backward()
        seen.append(loss.item())
        for walk in (lambda h=h: h.sum().backward(), lambda loss=loss: loss.backward(),
                     lambda h=h, c=c: torch.autograd.grad((h * c).sum(), h)[0].tolist()):
            try:
                seen.append(walk())
            except RuntimeError as error:
                seen.append(type(error).__name__)
        seen += [p.grad.tolist() for p in lstm.parameters()]
    return seen
