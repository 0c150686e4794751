"""One training over all layouts in a folder, in as many processes as torchrun starts.

    gsrgnn data layouts -o layouts
    export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
    torchrun --standalone --nproc-per-node 2 --max-restarts 3 workflow/train.py layouts riscv/ibex model.safetensors

The layouts of one design choose the epoch, those of all others are trained on. Started again, by torchrun where a
process died or by hand with another number of processes, it goes on from the last epoch.
"""

import os
import sys

import torch
from torch import distributed

from gsrgnn import GSRGNN
from gsrgnn.circuits.dataset import LayoutDataset
from gsrgnn.training import train

CIRCUITS_A_STEP = 8  # of as many processes each has one; it belongs to the result, the number of processes does not


def main(folder, validate, checkpoint):
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    torch.manual_seed(0)
    layouts, validation, _ = LayoutDataset(folder).split(val=[validate])
    model = GSRGNN(layouts[0].num_features, hidden_channels=64, num_layers=30, k=8).to(device)
    train(
        model,
        layouts,
        validate=validation,
        circuits_a_step=CIRCUITS_A_STEP,
        epochs=60,
        patience=15,
        checkpoint=checkpoint,
        progress=lambda row: print(row, flush=True),
    )
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
