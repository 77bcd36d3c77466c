"""R1, a linear regression of nine features and a bias at batch one, in JAX (a pass over the data as one compiled scan) and in PyTorch
(eager): what is left of a framework when there is nothing to compute.

usage: PEERS=folder python benches/peers_regression.py --workload R1 --mode scan|eager --threads 1 --seconds 3

The folder's common.py parses the arguments, measures and prints the same JSON line as for the other workloads."""
import os
import sys

sys.path.insert(0, os.environ["PEERS"])
import common

FEATURES, ROWS = 9, 1000
common.WORKLOADS["R1"] = ("linear regression", 1, ROWS)
# Forward and the weights' gradient; nobody needs the input's.
common.gemm_flop = lambda workload: 2 * 2 * FEATURES
arguments = common.args(["scan", "eager"])
common.setup_threads(arguments.threads)


def data():
    import numpy as np

    rng = np.random.default_rng(0)
    return (rng.standard_normal((ROWS, width), dtype=np.float32) for width in (FEATURES, 1))


def with_jax():
    # As the folder's bench_jax.py; they are read when JAX is loaded.
    if arguments.threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import jax.numpy as jnp
    import optax

    x, y = map(jnp.asarray, data())
    optimizer = optax.sgd(1e-2)
    parameters = dict(w=jnp.zeros((FEATURES, 1)), b=jnp.zeros(1))
    state, losses = (parameters, optimizer.init(parameters)), None

    def loss(parameters, x, y):
        return jnp.mean((x @ parameters["w"] + parameters["b"] - y) ** 2)

    def one(state, row):
        parameters, memory = state
        value, gradient = jax.value_and_grad(loss)(parameters, *row)
        updates, memory = optimizer.update(gradient, memory, parameters)
        return (optax.apply_updates(parameters, updates), memory), value

    epoch = jax.jit(lambda state: jax.lax.scan(one, state, (x[:, None], y[:, None])), donate_argnums=0)

    def step():
        nonlocal state, losses
        state, losses = epoch(state)

    common.measure(arguments, "jax", step, lambda: jax.block_until_ready(losses), steps_per_call=ROWS,
                   loss=lambda: float(losses[-1]), extra=dict(version=jax.__version__))


def with_torch():
    import torch

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    x, y = map(torch.from_numpy, data())
    layer = torch.nn.Linear(FEATURES, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-2, fused=True)
    row, last = 0, None

    def step():
        nonlocal row, last
        last = torch.nn.functional.mse_loss(layer(x[row:row + 1]), y[row:row + 1])
        row = (row + 1) % ROWS
        optimizer.zero_grad(set_to_none=True)
        last.backward()
        optimizer.step()

    common.measure(arguments, "torch", step, lambda: None, loss=lambda: last.item(), extra=dict(version=torch.__version__))


with_jax() if arguments.mode == "scan" else with_torch()
