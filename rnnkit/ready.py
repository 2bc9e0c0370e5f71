"""What can be asked of a model's kernels before it is used."""

from __future__ import annotations

from typing import Any

__all__ = ["Ready"]


class Ready:
    """The part of a model that tells its kernels, and has them made; see `Stack`."""

    def explain(
        self, batch_size: int = 32, steps: int | None = None, training: bool = True, measure: bool = False
    ) -> str:
        """Which kernel runs and why, layer by layer, as text that shows itself at a prompt and in a notebook.

        steps     of a sequence; None takes those that the model was built for
        training  as `fit` runs it, with dropout and the way back; else as `predict` does
        measure   also the time of each layer on random numbers, and the share of the speed that the machine was
                  seen to reach in a small product of matrices: some passes are run

        threads and what they divide, lanes (numbers in a vector), operations of the products (a multiply-add is two),
        bytes of the weights and of what is kept for the way back. Parts of a layer follow it.
        Raises ValueError for an unbuilt model, and where the number of steps is not known or not the model's.
        """
        from .explain import explain

        model: Any = self
        return explain(model, batch_size, steps, training, measure)

    def warmup(
        self, batch_size: int = 32, steps: int | None = None, training: bool = True, verbose: Any = "auto"
    ) -> None:
        """Compiles what the model needs, or finds it compiled, by one pass over zeros: the first batch then is as fast
        as all others.

        batch_size, steps  as they will be; where the model takes any number of steps, two
        training           the way back too, and the rule of the optimizer of a compiled model
        verbose            a progress bar over the layers: "auto" where there is a terminal, 0 or 1

        Nothing of the model changes. Raises ValueError for an unbuilt model and for steps that are too few.
        """
        from .warming import warmup

        model: Any = self
        warmup(model, batch_size, steps, training, verbose)
