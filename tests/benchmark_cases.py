"""Cases for the benchmarks' tests: small workloads, plans with every contender's column, rows with given times."""

from benchmarks import contenders
from benchmarks.contenders import ours
from benchmarks.plan import Plan
from benchmarks.results import Group, Row
from benchmarks.timing import Effort
from benchmarks.workload import Workload

SHORT = Effort(block=1e-4, blocks=1, rest=0)


def work(cell="LSTM", shape=(3, 6, 2, 4), **options):
    return Workload(cell, shape, **options)


def plan(names=("rnnkit", "NumPy", "PyTorch", "Keras", "JAX", "ONNX"), **options):
    known = {name: contenders.Contender(name, lambda w: ours.runner(w, "numpy")) for name in names}
    return Plan(2, known, effort=SHORT, quick=True, speeds={"sgemm": 1e11}, **options)


def row(label="LSTM", shape=(1, 50, 1, 20), ours=0.5, theirs=1.0, **options):
    return Row(label, shape, {"rnnkit": ours, "PyTorch": theirs}, **options)


def groups(**rows):
    about = {"cpu": "a processor", "threads": 2, "versions": {"torch": "2.13"}, "date": "2030-01-02"}
    return {name: Group(about, tuple(found)) for name, found in rows.items()}
