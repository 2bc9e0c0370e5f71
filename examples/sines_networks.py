"""The networks of sines_sequences.py, listings for two libraries: each tells the next ten steps at every step."""

TRAIN, AHEAD, EPOCHS, BATCH = 7_000, 10, 20, 32


def last_step_mse(y_true, y_pred):
    return ((y_true[:, -1] - y_pred[:, -1]) ** 2).mean(-1)


def recurrent(kind, before=None, between=None, rate=1e-3):
    """Two recurrent layers of 20 units: `before` them a layer, `between` one after each, of `library.layers`."""

    def network(library, **seed):
        made, stack = library.layers, []
        if before:
            stack.append(before(made))
        for _ in range(2):
            stack.append(getattr(made, kind)(20, return_sequences=True))
            if between:
                stack.append(getattr(made, between)())
        return compiled(library, [*stack, made.TimeDistributed(made.Dense(AHEAD))], seed, rate)

    return network


def strided(layers):
    return layers.Conv1D(filters=20, kernel_size=4, strides=2, padding="valid")


def simple_wavenet(library, rate=1e-3, **seed):
    Conv1D = library.layers.Conv1D
    taps = {"kernel_size": 2, "padding": "causal", "activation": "relu"}
    stack = [Conv1D(filters=20, dilation_rate=d, **taps) for d in (1, 2, 4, 8) * 2]
    return compiled(library, [*stack, Conv1D(filters=AHEAD, kernel_size=1)], seed, rate)


def falling(library, **seed):
    rate = library.optimizers.schedules.CosineDecay(5e-3, decay_steps=EPOCHS * -(-TRAIN // BATCH))
    return simple_wavenet(library, rate, **seed)


def gated_wavenet(output, dilations=(1, 2, 4)):
    def network(library, **seed):
        made = library.layers
        stack = [made.Conv1D(32, 2, padding="causal"), made.WaveNet(32, dilations), made.Dense(32, "relu")]
        return compiled(library, [*stack, made.Dense(AHEAD, output)], seed)

    return network


def compiled(library, stack, seed, rate=1e-3):
    model = library.Sequential(stack, **seed)
    model.compile(loss="mse", optimizer=library.optimizers.Adam(learning_rate=rate), metrics=[last_step_mse])
    return model
