"""The paper's worked examples, as far as our copy (a scan turned to text) lets them be read.

An entry without a mark was read, with its point restored where the scan lost it. One marked ``d`` was derived:
the only value that makes the readable products come out. ``?`` could not be read.
"""

from gsrgnn.book.walkthrough.printed import Printed


def _example(section: str, **texts: tuple[str, str]) -> dict[str, Printed]:
    return {key: Printed.parse(name, f"section {section}", text) for key, (name, text) in texts.items()}


EXAMPLE: dict[str, Printed] = _example(
    "4.1",
    adjacency=(
        "A",
        """
        1  0  1  0
        0d 1d 0d 1d
        1d 0d 0d 1d
        0  1  1  0""",
    ),
    relu=(
        "ReLU(X)",
        """
        .37  .76  0    .79
        .58d 0d   .57d 0d
        0d   .55d .95d 0d
        0    0    .23  0""",
    ),
    relu_out=(
        "A · ReLU(X)",
        """
        .37  1.31 .95  .79
        .58d 0d   .80d 0d
        .37d .76d .23d .79d
        .58  .55  1.52 0""",
    ),
    grad=(
        "ReLU(∂L/∂Y)",
        """
        .23 0   .89 0
        .45 .78 0   .67
        0d  0d  0d  .38d
        0   .33 .66 0""",
    ),
    grad_out=(
        "Aᵀ · ReLU(∂L/∂Y)",
        """
        .23 0    .89  .38
        .56 1.11 .66  .67
        .23 .33  1.55 0
        .45 1.11 0    1.05""",
    ),
    values=(
        "Val",
        """
        .79
        .58d
        .95d
        .86""",
    ),
    indices=(
        "Idx",
        """
        3
        0d
        2d
        3""",
    ),
    out=(
        "X, next layer",
        """
        0   0  .95 .79d
        .58 0  0   .86
        0d  0d 0d  1.65d
        .58 0  .95 0""",
    ),
    grad_values=(
        "Val of the gradient",
        """
        .12
        .45d
        .55d
        .99""",
    ),
    grad_rows=(
        "∂L/∂X",
        """
        0    0  0     .67
        1.44 0  0     0
        0d   0d 1.11d 0d
        0    0  0     1.0""",
    ),
)
"""Section 4.1: the adjacency, the conventional block forward and backward, the GS block (k = 1) likewise."""

FORWARD: dict[str, Printed] = _example(
    "4.3",
    X=(
        "X",
        """
        .37 .76 .45 .17
        .38 .31 .21 .40
        ?   ?   .73 .07
        .14 .02 .15 .49""",
    ),
    V2=(
        "Val, step 2",
        """
        .45
        .40d
        .73d
        .49""",
    ),
    I2=(
        "Idx, step 2",
        """
        0
        1d
        0d
        1""",
    ),
    M1=(
        "first block, step 3",
        """
        1.18 0
        0    .89
        .94  0d
        0    1.13""",
    ),
    V1=(
        "Val, step 5",
        """
        1.55
        1.20d
        ?
        1.15d""",
    ),
    I1=(
        "Idx, step 5",
        """
        0
        1d
        0d
        1""",
    ),
    M2=(
        "second block, step 6",
        """
        3.35 0
        0d   2.35
        2.65 0d
        0    3.06""",
    ),
    Y2=(
        "new group 2, step 8",
        """
        3.8  0
        0d   2.75
        3.38 0
        0    3.55""",
    ),
)
"""Section 4.3: one layer forward with k = 1, the matrices named as in `layer_steps.forward`."""

BACKWARD: dict[str, Printed] = _example(
    "4.4",
    G=(
        "incoming gradient",
        """
        .37  -.82  .15  -.53
        -.21 .68   -.94 .07
        .91d -.13d .45d -.76d
        -.62 .29   -.08 .83""",
    ),
    V2=(
        "Val, step 2",
        """
        .37
        .68d
        .91d
        .29""",
    ),
    I2=(
        "Idx, step 2",
        """
        0
        1d
        0d
        1""",
    ),
    Z2=(
        "first block, step 3",
        """
        1.28 0
        0    .97
        .66  0
        0    1.59""",
    ),
    M1=(
        "difference, step 3",
        """
        1.13 .53
        .94d .90d
        .21d .76d
        .08  .76""",
    ),
    V1=(
        "Val, step 4",
        """
        -.53
        -.90d
        -.21d
        -.08""",
    ),
    I1=(
        "Idx, step 4",
        """
        1
        1d
        0d
        0""",
    ),
    Z1=(
        "second block, step 5",
        """
        0     -.74
        0d    -.98d
        -.61d 0d
        -1.11 0""",
    ),
    G2_next=(
        "∂L/∂X₁",
        """
        1.89d 0d
        0d    1.95
        .66   0
        0     3.18""",
    ),
    G1_next=(
        "∂L/∂X₂",
        """
        0d    -.74d
        0d    -.98d
        -.61  0d
        -1.11 0""",
    ),
)
"""Section 4.4: one layer backward with k = 1, the matrices named as in `layer_steps.algorithm2`.

The third row of ``G`` was pieced together from the scan's fragments and the products; the difference of step 3
has no signs in our copy.
"""
