"""Initializers: the numbers a parameter starts from.

    initializer(rng, shape, dtype) -> array

Numbers are drawn in float64 and then cast, so that one seed gives the same ones in float32 and float64.
Defaults, distributions and fans are Keras 3's, `keras/src/initializers/`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from rnnkit_kernels.sentences import unknown

from .draws import Constant, Initializer, Ones, RandomNormal, RandomUniform, TruncatedNormal, Zeros
from .matrices import Identity, Orthogonal
from .scaled import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
    fans,
)

__all__ = ["ALL", "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "Initializer"]
__all__ += ["LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal"]
__all__ += ["VarianceScaling", "Zeros", "fans", "get"]
__all__ += ["constant", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal"]
__all__ += ["lecun_uniform", "ones", "orthogonal", "random_normal", "random_uniform", "truncated_normal"]
__all__ += ["variance_scaling", "zeros"]

# As Keras spells them too: initializers.he_normal().
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
glorot_uniform, glorot_normal, he_uniform, he_normal = GlorotUniform, GlorotNormal, HeUniform, HeNormal
lecun_uniform, lecun_normal, variance_scaling = LecunUniform, LecunNormal, VarianceScaling

ALL: dict[str, Callable[[], Initializer]] = {
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "normal": RandomNormal,  # Keras has these two names for them too
    "uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
    "orthogonal": Orthogonal,
    "identity": Identity,
}


def get(given: str | Initializer | type[Any]) -> Initializer:
    """The initializer of a name ("glorot_uniform", "GlorotUniform", ...) or class, with its defaults; or the callable.

    Raises ValueError for an unknown name, TypeError for what cannot be called.
    """
    if isinstance(given, str):
        table = {name.replace("_", ""): kind for name, kind in ALL.items()}
        if (name := given.lower().replace("_", "")) not in table:
            raise unknown("initializer", given, ALL)
        return table[name]()
    found = given() if isinstance(given, type) else given
    if not callable(found):
        raise TypeError(f"{given!r} is no initializer: expected a name, an object or fn(rng, shape, dtype) -> array.")
    return cast(Initializer, found)
