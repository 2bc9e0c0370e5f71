"""A cell of your own: write `step`, and it is differentiated, checked and trained.

    python examples/own_cell.py

The update gate RNN of Collins, Sohl-Dickstein & Sussillo 2017 ("Capacity and trainability in recurrent neural
networks"): one gate decides how much of the old state stays.
"""

from rnnkit import Cell, Sequential, gradcheck, names
from rnnkit.data import MinMaxScaler, hourly_temperature, windows
from rnnkit.layers import RNN, Dense
from rnnkit.optimizers import Adam


class UpdateGateRNN(Cell):
    gates, state = names("g c"), names("h")

    def step(self, F, x, u, s, p):
        g = F.sigmoid(x.g + u.g)
        c = F.tanh(x.c + u.c)
        h = g * s.h + (1 - g) * c
        return (h,), ()


def main() -> None:
    cell = UpdateGateRNN()
    print(cell.explain(), end="\n\n")
    print(gradcheck(cell), end="\n\n")

    series = hourly_temperature().values
    split = int(0.8 * len(series))
    scaler = MinMaxScaler.fit(series[:split])
    scaled = scaler.transform(series)
    past, future = windows(scaled[:split], length=24, lead=12)
    later, truth = windows(scaled[split - 36 :], length=24, lead=12)

    model = Sequential([RNN(cell, 32), Dense(1)], seed=7)
    model.compile(Adam(learning_rate=0.003), loss="mse", metrics=["mae"])
    model.fit(past, future[:, 0], epochs=10, validation_split=0.1)
    error = scaler.inverse_error(model.evaluate(later, truth[:, 0])["mae"])
    print(model.summary())
    print(f"12 hours ahead, mean absolute error on the last fifth: {float(error):.2f} degC")


if __name__ == "__main__":
    main()
