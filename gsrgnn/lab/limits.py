"""The least time that each CUDA kernel can take: bytes and instructions over the chip's ceilings.

A kernel is bound by four things at once: the memory (HBM), the L2 cache, shared memory, and the instructions that its
schedulers issue. The largest of the four times is its `Bound`. Matrices are ``[N, D]`` float32, CBSR rows have k values
of 4 bytes and k indices of ``index`` bytes; E is the number of entries of the graph.

What is gathered is read from the memory once where it fits the L2 cache, else once an entry. Of a sum over entries
``rows`` is what it makes, ``sources`` what it gathers from, as many if not given; ``onto`` adds to what is there.
"""

import math
from dataclasses import dataclass

import numpy as np

SECTOR = 32  # bytes that the L2 moves at the least
BANKS = 32


@dataclass(frozen=True)
class Ceilings:
    """What a GPU can do at most.

    Attributes:
        hbm, l2, shared: bytes a second, of the memory, the L2 cache, and all shared memories together.
        issue: instructions of a warp a second, all multiprocessors together.
        l2_size: bytes.
        source: where the numbers come from.
    """

    hbm: float
    l2: float
    shared: float
    issue: float
    l2_size: float
    source: str


def of_card(hbm: float, flops: float, l2: float, l2_size: float, source: str) -> Ceilings:
    """`Ceilings` of a card with ``flops`` float32 operations a second, tensor cores apart.

    In a clock a multiprocessor issues 4 instructions of a warp, each at most 32 multiply-adds, which count as 64
    operations, and moves 128 bytes of shared memory.
    """
    return Ceilings(hbm, l2, shared=flops / 2, issue=flops / 64, l2_size=l2_size, source=source)


A6000: Ceilings = of_card(
    hbm=768e9,
    flops=38.7e12,
    l2=84 * 64 * 1.8e9,
    l2_size=6e6,
    source="NVIDIA, RTX A6000 data sheet: 768 GB/s, 38.7 TFLOPS; GA102 whitepaper: 6 MB of L2; assumed: "
    "64 bytes a clock from the L2 to each of 84 multiprocessors at 1.8 GHz",
)
H100: Ceilings = of_card(
    hbm=3.35e12,
    flops=67e12,
    l2=5.5e12,
    l2_size=50e6,
    source="NVIDIA, H100 data sheet, SXM: 3.35 TB/s, 67 TFLOPS; H100 whitepaper: 50 MB of L2; assumed: "
    "5.5 TB/s from the L2",
)
H200: Ceilings = of_card(
    hbm=4.8e12,
    flops=67e12,
    l2=5.5e12,
    l2_size=60e6,
    source="NVIDIA, H200 data sheet, SXM: 4.8 TB/s, 67 TFLOPS; H100 whitepaper: 60 MB of L2 on the whole chip, "
    "whose six memories the H200 has; assumed: 5.5 TB/s from the L2",
)
CARDS: dict[str, Ceilings] = {"A6000": A6000, "H100": H100, "H200": H200}


@dataclass(frozen=True)
class Bound:
    """Seconds that each part of the chip needs at the least for one call of a kernel."""

    hbm: float
    l2: float
    shared: float
    issue: float

    @property
    def seconds(self) -> float:
        """The largest."""
        return max(self.hbm, self.l2, self.shared, self.issue)

    @property
    def by(self) -> str:
        """Its name."""
        return max(("hbm", "l2", "shared", "issue"), key=lambda name: getattr(self, name))


def sectors(size: int) -> float:
    """Sectors that ``size`` contiguous bytes touch on average, at a place that is a multiple of ``size``."""
    step = math.gcd(size, SECTOR)
    return (size - step) / SECTOR + 1


def kept_sectors(k: int, index: int = 1) -> float:
    """Sectors of a CBSR row: one where it fits it, since it is then packed; else those of its values and indices."""
    return 1 if (4 + index) * k <= SECTOR else sectors(4 * k) + sectors(index * k)


def sampled_sectors(width: int, k: int) -> float:
    """Sectors on average that k random columns of a float32 row of ``width`` lie in."""
    in_sector = SECTOR // 4
    missed = math.comb(width - in_sector, k) / math.comb(width, k) if width - in_sector >= k else 0
    return width / in_sector * (1 - missed)


def conflicts(width: int, k: int, draws: int = 2000) -> float:
    """How many times a shared memory access is repeated on average where a warp adds rows of k random columns.

    Up to 32 lanes take a row, whose columns ascend, 32 at a time; for a smaller k several groups of lanes add to rows
    of sums of their own, which follow each other. What counts is the fullest of the 32 banks. Simulated with a fixed
    seed.
    """
    rng = np.random.default_rng(0)
    k = min(k, width)
    groups = max(1, 32 // k)
    columns = np.sort(np.argsort(rng.random((draws, groups, width)), axis=2)[:, :, :k], axis=2)
    banks = (columns + width * np.arange(groups)[:, None]) % BANKS
    rounds = [banks[:, :, first : first + 32].reshape(draws, -1) for first in range(0, k, 32)]
    return float(np.mean([[np.bincount(row, minlength=BANKS).max() for row in one] for one in rounds]))


def top_k(ceilings: Ceilings, rows: int, width: int, k: int, index: int = 1, steps: int = 20) -> Bound:
    """`group_sparse`: the row in, values and indices out; ``steps`` of bisection over the row in registers."""
    items = -(-width // 32)
    instructions = 8 * items + steps * (2 * items + 8) + 12 * items + 20
    return Bound(
        rows * (4 * width + (4 + index) * k) / ceilings.hbm,
        rows * (4 * width + (4 + index) * k) / ceilings.l2,
        0,
        rows * instructions / ceilings.issue,
    )


def aggregate(
    ceilings: Ceilings,
    rows: int,
    edges: int,
    width: int,
    k: int,
    index: int = 1,
    *,
    sources: int | None = None,
    onto: bool = False,
) -> Bound:
    """`aggregate` over edges: a neighbour's values and indices from the L2, k additions to shared memory."""
    rounds, groups = _shared_out(k)
    made = 4 * rows * width * (1 + onto)
    hbm = 8 * edges + made + _gathered(ceilings, rows if sources is None else sources, edges, (4 + index) * k)
    l2 = edges * (8 + SECTOR * kept_sectors(k, index)) + made
    accesses = 2 * edges / groups * rounds * conflicts(width, k)  # a load and a store for each warp's addition
    cleared = rows * groups * width / 32 * 2
    return Bound(
        hbm / ceilings.hbm,
        l2 / ceilings.l2,
        128 * (accesses + cleared) / ceilings.shared,
        (edges / groups * (6 + 8 * rounds) + 4 * cleared) / ceilings.issue,
    )


def aggregate_backward(
    ceilings: Ceilings,
    rows: int,
    edges: int,
    width: int,
    k: int,
    index: int = 1,
    *,
    sources: int | None = None,
    onto: bool = False,
) -> Bound:
    """`aggregate_backward`: the sectors of a neighbour's gradient in which the k columns lie."""
    rounds, groups = _shared_out(k)
    read = SECTOR * sampled_sectors(width, k)
    gathered = _gathered(ceilings, rows if sources is None else sources, edges, 4 * width, read)
    hbm = 8 * edges + (4 * (1 + onto) + index) * k * rows + gathered
    return Bound(
        hbm / ceilings.hbm, edges * (8 + read) / ceilings.l2, 0, edges / groups * (5 + 3 * rounds) / ceilings.issue
    )


def aggregate_backward_atomic(ceilings: Ceilings, rows: int, edges: int, width: int, k: int, index: int = 1) -> Bound:
    """The same with atomics: a neighbour's indices, k reads of the row's own gradient, k sums to the L2.

    An atomic addition counts as a sector moved; that a chip adds as fast as it reads is the best that can be.
    """
    rounds, groups = _shared_out(k)
    hbm = 8 * edges + (4 + index) * k * rows + 4 * rows * width
    l2 = edges * (8 + SECTOR * (sectors(4 * k) + sectors(index * k))) + 4 * rows * width
    return Bound(
        hbm / ceilings.hbm,
        l2 / ceilings.l2,
        128 * edges / groups * rounds * conflicts(width, k) / ceilings.shared,
        edges / groups * (5 + 5 * rounds) / ceilings.issue,
    )


def aggregate_dense(
    ceilings: Ceilings,
    rows: int,
    edges: int,
    width: int,
    itemsize: int = 4,
    *,
    sources: int | None = None,
    onto: bool = False,
) -> Bound:
    """`aggregate_dense` (SpMM): a neighbour's whole row from the L2."""
    gathered = _gathered(ceilings, rows if sources is None else sources, edges, itemsize * width)
    hbm = 8 * edges + 4 * rows * width * (1 + onto) + gathered
    return Bound(
        hbm / ceilings.hbm,
        edges * (8 + itemsize * width) / ceilings.l2,
        0,
        edges * (3 + 3 * -(-width // 32)) / ceilings.issue,
    )


def add_layer_norm(ceilings: Ceilings, rows: int, width: int) -> Bound:
    """The residual update: z in, x in and out."""
    size = 12 * rows * width
    return Bound(size / ceilings.hbm, size / ceilings.l2, 0, rows * (-(-width // 32) * 16 + 30) / ceilings.issue)


def undo_layer_norm(ceilings: Ceilings, rows: int, width: int) -> Bound:
    """The same undone and differentiated: z and x in and out, the gradient in; three column sums in shared memory."""
    size, items = 20 * rows * width, -(-width // 32)
    return Bound(
        size / ceilings.hbm,
        size / ceilings.l2,
        128 * 6 * rows * items / ceilings.shared,
        rows * (items * 36 + 60) / ceilings.issue,
    )


def matrix_product(ceilings: Ceilings, rows: int, inner: int, columns: int) -> Bound:
    """``[rows, inner] @ [inner, columns]`` in float32 without tensor cores, as torch makes it unless told otherwise."""
    size = 4 * (rows * inner + inner * columns + rows * columns)
    return Bound(size / ceilings.hbm, size / ceilings.l2, 0, rows * inner * columns / 32 / ceilings.issue)


def product(ceilings: Ceilings, rows: int, width: int, k: int, index: int = 1) -> Bound:
    """`product` with a matrix ``[D, D]``: of each kept entry a row of the matrix, loaded and added."""
    size = (4 + index) * k * rows + 4 * width * width + 4 * rows * width
    return Bound(size / ceilings.hbm, size / ceilings.l2, 0, 2 * rows * k * -(-width // 32) / ceilings.issue)


def product_backward(ceilings: Ceilings, rows: int, width: int, k: int, blocks: int, index: int = 1) -> Bound:
    """`product_backward`: the values' gradient, then the matrix's, ``[D, D]`` for each of the ``blocks``.

    The first loads and multiplies a row of the matrix for each kept entry, the second adds a row of the gradient to
    sums in shared memory. Both read all of the gradient and the indices.
    """
    size = 2 * (4 + index) * k * rows + 8 * rows * width + 4 * (blocks + 1) * width * width
    items = rows * k * -(-width // 32)
    return Bound(size / ceilings.hbm, size / ceilings.l2, 128 * 2 * items / ceilings.shared, 5 * items / ceilings.issue)


def gather(ceilings: Ceilings, rows: int, edges: int, width: int) -> Bound:
    """``x[index]``, a message ``[E, D]``: with an int64 index of each entry its row is read and written down."""
    written = (8 + 4 * width) * edges
    read = _gathered(ceilings, rows, edges, 4 * width)
    return Bound((written + read) / ceilings.hbm, (written + 4 * width * edges) / ceilings.l2, 0, 0)


def scatter(ceilings: Ceilings, rows: int, edges: int, width: int) -> Bound:
    """``out.index_add(index, messages)``: each message is read and added to its row, which is read and written."""
    read = (8 + 4 * width) * edges
    added = 2 * _gathered(ceilings, rows, edges, 4 * width)
    return Bound((read + added) / ceilings.hbm, (read + 4 * width * edges) / ceilings.l2, 0, 0)


def stream(ceilings: Ceilings, size: float) -> Bound:
    """``size`` bytes read and written in their order, the arithmetic left out."""
    return Bound(size / ceilings.hbm, size / ceilings.l2, 0, 0)


def _shared_out(k):
    """In how many rounds a warp's 32 lanes take a row of k entries, and how many rows they take at once."""
    return -(-k // 32), max(1, 32 // min(k, 32))


def _gathered(ceilings, sources, edges, row, read=None):
    """Bytes from the memory of ``sources`` rows of ``row`` bytes, of which each entry takes all, or ``read``."""
    return sources * row if sources * row < ceilings.l2_size else edges * (row if read is None else read)
