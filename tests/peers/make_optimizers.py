"""Asks Keras and PyTorch, in float64, what `optimizers_cases.py` lists, and writes `tests/peers/optimizers.json`.

    python tests/peers/make_optimizers.py

Needs keras 3 and torch; the tests that read the answers need neither.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from asking import keras, peer_values, plain, torch
from peers import optimizers_cases as cases


def schedule(name, options):
    return getattr(keras.optimizers.schedules, name)(**options)


def rates(made):
    return torch.stack([torch.as_tensor(made(n), dtype=torch.float64) for n in cases.ITERATIONS])


def trajectory(name, options):
    """W and b, flat, in one row, after every step."""
    options = {k: schedule(*v) if isinstance(v, tuple) else v for k, v in options.items()}
    optimizer = getattr(keras.optimizers, name)(**options)
    variables = [keras.Variable(value, dtype="float64") for value in cases.start().values()]
    optimizer.build(variables)
    rows = []
    for t in range(cases.STEPS):
        optimizer.apply([torch.tensor(g) for g in cases.slopes(t).values()], variables)
        rows.append(torch.cat([v.value.detach().clone().ravel() for v in variables]))
    return rows


def from_torch(make, count):
    """The learning rates that a scheduler of PyTorch gives its optimizer, iteration by iteration."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=cases.STEP_LR["initial_learning_rate"])
    scheduler, found = make(optimizer), []
    for n in range(count):
        if n:
            optimizer.step()
            scheduler.step()
        found.append(float(optimizer.param_groups[0]["lr"]))
    return np.array(found)


def one_cycle(max_learning_rate, total_steps, **options):
    return from_torch(
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_learning_rate, total_steps, cycle_momentum=False, **options
        ),
        total_steps,
    )


def regularized(kind, options, name):
    weight = torch.tensor(cases.WEIGHTS[name], requires_grad=True)
    value = getattr(keras.regularizers, kind)(**options)(weight)
    if value.requires_grad:
        value.backward()
    return [value, torch.zeros_like(weight) if weight.grad is None else weight.grad]


def constrained(kind, options, name):
    return getattr(keras.constraints, kind)(**options)(torch.tensor(cases.WEIGHTS[name]))


def run(stack, optimizer):
    """Losses by epoch, and the weights at the end, of a training in batches of two."""

    def made(name, value):
        kind = name.rpartition("_")[2]
        return getattr(getattr(keras, kind + "s"), value[0])(**value[1]) if isinstance(value, tuple) else value

    model = keras.Sequential([keras.Input((4, 2))])
    for layer, options in stack:
        model.add(getattr(keras.layers, layer)(**{name: made(name, value) for name, value in options.items()}))
    model.set_weights(peer_values.model_weights([w.shape for w in model.get_weights()]))
    name, options = optimizer
    model.compile(
        getattr(keras.optimizers, name)(**options | {"learning_rate": schedule(*options["learning_rate"])}), "mse"
    )
    history = model.fit(*cases.samples(), batch_size=2, epochs=4, shuffle=False, verbose=0)
    return [np.array(history.history["loss"]), *model.get_weights()]


def step_lr():
    size, gamma = cases.STEP_LR["decay_steps"], cases.STEP_LR["decay_rate"]
    return from_torch(lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, size, gamma), 40)


def main():
    answers = {
        "optimizers": {cases.key(*case): plain(trajectory(*case)) for case in cases.OPTIMIZERS},
        "schedules": {cases.key(*case): plain(rates(schedule(*case))) for case in cases.SCHEDULES},
        "one cycles": {cases.key(case): plain(one_cycle(**case)) for case in cases.ONE_CYCLES},
        "step lr": plain(step_lr()),
        "regularizers": {cases.key(*case): plain(regularized(*case)) for case in cases.regularized()},
        "runs": {name: plain(run(*case)) for name, case in cases.RUNS.items()},
        "constraints": {cases.key(*case): plain(constrained(*case)) for case in cases.constrained()},
    }
    path = Path(__file__).with_name("optimizers.json")
    path.write_text(json.dumps(answers, indent=0).replace(",\n", ",") + "\n")
    print(f"{path}: {path.stat().st_size} bytes, from keras {keras.__version__} and torch {torch.__version__}")


if __name__ == "__main__":
    main()
