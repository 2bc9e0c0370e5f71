"""A filter by hand: what a convolution does with six numbers, and how it learns.

    python examples/filter.py

The course's first example of a convolution (convolución): the filter (filtro) -0.5, 1, -0.5 slides over the series
4, 8, 15, 16, 23, 42. Each number is multiplied by 1, its neighbours by -0.5, and the three are added: 8 becomes
8 - (4 + 15) / 2 = -1.5 and 15 becomes 15 - (8 + 16) / 2 = 3. What lies on the line between its neighbours becomes 0, so
this filter shows where a series bends.

Nobody has to think of a filter. The last row has a Conv1D of one filter that saw 500 random series beside their
filtered ones and found the three weights from its own errors.
"""

import numpy as np
from recipe import Recipe

from rnnkit import Sequential
from rnnkit.layers import Conv1D
from rnnkit.plots.figure import BLUE, GREY, legend, new_figure, style

SERIES = np.array([4, 8, 15, 16, 23, 42], np.float32)
FILTER = np.array([-0.5, 1, -0.5], np.float32)
RECORDED = {8: -1.5, 15: 3.0}


def network(library, **seed):
    model = library.Sequential([library.layers.Conv1D(1, 3)], **seed)
    model.compile(optimizer=library.optimizers.SGD(learning_rate=0.1), loss="mse")
    return model


def by_hand(x):
    """x (B, T, 1) -> (B, T - 2, 1), with the filter as the weights of a Conv1D."""
    model = Sequential([Conv1D(1, 3)])
    model.build((None, None, 1))
    model.set_weights([FILTER.reshape(3, 1, 1), np.zeros(1, np.float32)])
    return model.predict(x)


def main():
    recipe = Recipe(__doc__, ["filtered"])
    x = SERIES.reshape(1, -1, 1)
    filtered = by_hand(x)[0, :, 0]
    for before, number, after, result in zip(SERIES, SERIES[1:], SERIES[2:], filtered, strict=False):
        known = RECORDED.get(int(number))
        recipe.baseline(f"{number:.0f} between {before:.0f} and {after:.0f}", [float(result)], known and [known])

    past = np.random.default_rng(0).standard_normal((500, 20, 1)).astype(np.float32)
    model, _ = recipe.train(
        "15, by a filter that was learnt", network, past, by_hand(past), batch_size=50, epochs=30,
        score=lambda model, history: [float(model.predict(x)[0, 1, 0])], recorded=[RECORDED[15]],
    )  # fmt: skip
    weights = ", ".join(f"{weight:.4f}" for weight in model.get_weights()[0].ravel())
    print(f"  learnt: {weights}; by hand: -0.5, 1, -0.5")

    figure = new_figure(9, 4.6)
    axes = figure.subplots()
    axes.plot(SERIES, color=GREY, marker="o", label="series")
    axes.plot(range(1, len(SERIES) - 1), filtered, color=BLUE, marker="o", label="filtered")
    for place, number in [*enumerate(SERIES), *enumerate(filtered, 1)]:
        axes.annotate(f"{number:g}", (place, number), (0, 7), textcoords="offset points", ha="center", color=GREY)
    axes.margins(y=0.12)
    style(axes, "Six numbers, and where they bend: filter -0.5, 1, -0.5", "place", "value")
    legend(axes)
    recipe.finish(figure)


if __name__ == "__main__":
    main()
