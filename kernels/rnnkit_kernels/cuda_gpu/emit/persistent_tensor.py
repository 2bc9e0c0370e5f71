"""Kernels for all steps whose products run on tensor cores: what `sources/persistent_tensor.cuh` describes, printed."""

from __future__ import annotations

from ...levels import Product
from ..layout import Layout
from ..source import part
from .division import Division
from .persistent import Persistent
from .persistent_backward import PersistentBackward
from .persistent_forward import PersistentForward
from .places import Places
from .tensor_division import Share, TensorDivision
from .text import Text

__all__ = ["persistent"]

_FACTORS = {"tf32": "unsigned", "bf16": "unsigned short"}


def persistent(places: Places, layout: Layout, division: Division) -> Persistent:
    """The kernel of a division. Raises ValueError for one of tensor cores where nothing may be rounded."""
    back = places.lowered.gradient is not None
    if not isinstance(division, TensorDivision):
        return (PersistentBackward if back else PersistentForward)(places, layout, division)
    if places.options.rounding is None:
        raise ValueError(f"{division}: tensor cores round what they multiply, and here nothing may be rounded")
    return (_Backward if back else _Forward)(places, layout, division)


class _Tensor(Persistent):
    """What both directions have."""

    @property
    def text(self) -> str:
        factor = _FACTORS[str(self.places.options.rounding)]
        return f"typedef {factor} Factor;\n\n{part('persistent_tensor.cuh')}\n{super().text}"

    def share(self, gates: int) -> Share:
        assert isinstance(self.division, TensorDivision)
        return self.division.share(gates, self.lowered.gradient is not None, self.places.options.rounding)

    def held_weights(self, name: str, share: Share, weight: str) -> None:
        """Weights that stay in registers. weight: of output o and number n of the length."""
        sizes = ", ".join(map(str, (share.tiles, share.steps, share.parts, share.groups)))
        self.before += [f"Tensor<{sizes}> {name};", f"{name}.hold([&](int o, int n) {{ return {weight}; }});"]

    def factor(self, value: Text | str) -> str:
        return f"rounded({value})"


class _Forward(_Tensor, PersistentForward):
    """Sums go through shared memory from the warps that make them to the threads that need them."""

    def vectors(self, name: str) -> None:
        products = [p for level in self.lowered.levels for p in level.products if p.operand != "x"]
        words = [self.share(len(p.gates)).words for p in products if self.vectors_of(p) == name]
        self.buffer(name, max(words, default=self.share(1).words), rounded=True)

    def spot(self, row: str, k: str) -> str:
        return f"spot({k}, {row})"

    def multiply(self, sums: str, wide: int, products: dict[str, Product]) -> None:
        lines = self.F.lines
        lines.append(f"real {sums}[1][{wide}] = {{}};")
        adds = []
        for name, product in products.items():
            gates = [self.gate(q) for q in product.gates]
            share = self.share(len(gates))
            known = f"n < UNITS && o < {len(gates)} * OWN && rank * OWN + o % OWN < UNITS"
            self.held_weights(f"w{name}", share, f"{known} ? {self.weight_at(gates, 'n', 'o')} : real(0)")
            self.room(f"parts{name}", share.sums)
            lines.append(f"w{name}.lay_out({self.vectors_of(product)}, parts{name});")
            adds += [
                f"{sums}[0][{product.first + c}] += w{name}.sum(parts{name}, {c} * OWN + own_unit, own_row);"
                for c in range(len(gates))
            ]
        lines += [self.meet(False), *adds]


class _Backward(_Tensor, PersistentBackward):
    """Sums go from the warps that make them to the blocks that own their units."""

    def rooms(self, name: str, length: int) -> None:
        share, d = self.share(length // self.division.own), self.division
        self.buffer(f"g{name}", share.words, rounded=True)
        self.buffer(f"sent{name}", d.cluster * share.parts * d.rows * d.own)

    def spot(self, product: Product, m: str) -> str:
        return f"spot({m}, own_row)"

    def product(self, name: str, product: Product) -> str:
        share = self.share(len(self.through(product)))
        self.held_weights(f"w{name}", share, self.weight(product, "o", "n"))
        self.F.lines += [
            f"w{name}.send_back<OWN, UNITS>({self.gradients(name, product)}, sent{name}, rank);",
            self.meet(True),
        ]
        count, place = f"CLUSTER * {share.parts}", f"sent{name} + own_unit * ROWS + own_row"
        return str(self.F.load(f"from_blocks<{count}>({place}, OWN * ROWS)"))
