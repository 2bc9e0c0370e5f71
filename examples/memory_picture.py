"""The picture of memory.py: losses beside those without memory, and how far back the gradient reaches."""

import numpy as np
from memory_problems import Adding, Copy

from rnnkit.plots.figure import COLOURS, INK, new_figure, style


def picture(found, asked, before, after):
    """found: (problem, cell) -> the loss at each of the steps asked[problem]; before, after: cell -> the lengths of the
    gradient, from the end of the sequence back, of the untrained network and of the trained one."""
    figure = new_figure(13.3, 8.6)
    (adding, copy), gradients = figure.subplots(2, 2)
    for axes, problem, title in ((adding, Adding, "Adding"), (copy, Copy, "Copy")):
        shown = asked[problem]
        for cell, colour in zip(before, COLOURS, strict=False):
            share = [loss / problem.baseline(T) for loss, T in zip(found[problem, cell], shown, strict=True)]
            axes.plot(shown, share, color=colour, marker="o", markersize=4, label=cell)
        axes.plot(shown, [1] * len(shown), color=INK, linestyle=(0, (4, 2)), label="no memory")
        axes.set(xscale="log", yscale="log" if problem is Adding else "linear", xticks=shown, xticklabels=shown)
        axes.set_xticks([], minor=True)
        style(axes, f"{title}: loss beside the best without memory", "steps T", "share of its loss")
    for axes, norms, title in zip(gradients, (before, after), ("before training", "after training"), strict=True):
        for cell, colour in zip(before, COLOURS, strict=False):
            axes.plot(np.where(norms[cell] > 0, norms[cell], np.nan), color=colour, label=cell)
        axes.set_yscale("log")
        style(axes, f"Gradient of adding, {title}", "steps back from the end", "length of dL/d(state), 1 at the end")
    named = copy.get_legend_handles_labels()
    figure.legend(*named, loc="outside upper left", ncols=6, frameon=False, fontsize=10, labelcolor=INK)
    return figure
