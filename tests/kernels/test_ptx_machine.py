"""The machine that runs PTX in the tests, on PTX written by hand."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from ptx_machine import Fault, fused, run

LANES = np.arange(32, dtype=np.int32)
TEMPLATE = """
.version 8.0
.target sm_90
.address_size 64
.extern .shared .align 8 .b8 room[];
.visible .entry kernel(
    .param .u64 kernel_param_0,
    .param .u64 kernel_param_1
)
{{
    .reg .pred %p<4>;
    .reg .b32 %r<9>;
    .reg .f32 %f<9>;
    .reg .b64 %rd<9>;
    ld.param.u64 %rd1, [kernel_param_0];
    ld.param.u64 %rd2, [kernel_param_1];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd3, %r1, 4;
    add.s64 %rd4, %rd1, %rd3;
    add.s64 %rd5, %rd2, %rd3;
    mov.u64 %rd6, room;
    add.s64 %rd7, %rd6, %rd3;
    {}
    ret;
}}
"""
SEEDS = pytest.mark.parametrize("seed", [None, 0, 1])


def launch(body, given=LANES, out=None, warps=1, blocks=1, shared_bytes=4096, **options):
    out = np.full(32, 77, np.int32) if out is None else out
    counts = run(TEMPLATE.format(body), blocks, (32, warps), [given, out], shared_bytes=shared_bytes, **options)
    return out, counts


def calculated(instruction, given, out=np.int32):
    """What an instruction of ``%r2`` or ``%f2``, from memory, makes in ``%r3`` or ``%f3``."""
    body = f"ld.global.u32 %r2, [%rd4]; mov.b32 %f2, %r2; {instruction}; st.global.u32 [%rd5], %r3;"
    return launch(body, np.resize(given, 32), np.empty(32, out))[0][: len(given)]


@pytest.mark.parametrize(
    ("instruction", "given", "want"),
    [
        ("add.s32 %r3, %r2, 1", [2**31 - 1, -1], [-(2**31), 0]),
        ("sub.u32 %r3, %r2, 1", [0, 5], [-1, 4]),
        ("mul.lo.s32 %r3, %r2, 65537", [65536, -3], [65536, -196611]),
        ("mul.hi.u32 %r3, %r2, -1", [-1, 2], [-2, 1]),
        ("mul.hi.s32 %r3, %r2, 65536", [-65536, 65536], [-1, 1]),
        ("mad.lo.s32 %r3, %r2, 3, 7", [2, -2], [13, 1]),
        ("shr.s32 %r3, %r2, 40", [-8, 8], [-1, 0]),
        ("shr.u32 %r3, %r2, 28", [-1, 1 << 28], [15, 1]),
        ("shl.b32 %r3, %r2, 33", [1, 2], [0, 0]),
        ("div.s32 %r3, %r2, 2", [-3, 7], [-1, 3]),
        ("div.s32 %r3, %r2, -1", [-(2**31), 7], [-(2**31), -7]),
        ("div.u32 %r3, %r2, 2", [-2, 7], [2**31 - 1, 3]),
        ("rem.s32 %r3, %r2, 4", [-3, 7], [-3, 3]),
        ("min.u32 %r3, %r2, 9", [-1, 4], [9, 4]),
        ("max.s32 %r3, %r2, 9", [-1, 14], [9, 14]),
        ("popc.b32 %r3, %r2", [-1, 5], [32, 2]),
        ("cvt.s64.s32 %rd8, %r2; shr.s64 %rd8, %rd8, 1; cvt.u32.u64 %r3, %rd8", [-2, 6], [-1, 3]),
        ("cvt.u64.u32 %rd8, %r2; shr.u64 %rd8, %rd8, 1; cvt.u32.u64 %r3, %rd8", [-2, 6], [2**31 - 1, 3]),
        ("mul.wide.s32 %rd8, %r2, %r2; shr.u64 %rd8, %rd8, 32; cvt.u32.u64 %r3, %rd8", [-65536, 65536], [1, 1]),
        ("setp.lt.s32 %p1, %r2, 0; selp.b32 %r3, 1, 2, %p1", [-1, 1], [1, 2]),
        ("setp.lt.u32 %p1, %r2, 9; selp.b32 %r3, 1, 2, %p1", [-1, 1], [2, 1]),
    ],
)
def test_integers(instruction, given, want):
    assert calculated(instruction, np.array(given, np.int32)).tolist() == want


@pytest.mark.parametrize(
    ("instruction", "given", "want"),
    [
        ("cvt.rni.s32.f32 %r3, %f2", [2.5, 3.5, -2.5, 1e20, -1e20, np.nan], [2, 4, -2, 2**31 - 1, -(2**31), 0]),
        ("cvt.rzi.s32.f32 %r3, %f2", [2.9, -2.9], [2, -2]),
        ("setp.lt.f32 %p1, %f2, 0f3F800000; selp.b32 %r3, 1, 2, %p1", [0.5, 2, np.nan], [1, 2, 2]),
        ("setp.neu.f32 %p1, %f2, %f2; selp.b32 %r3, 1, 2, %p1", [0.5, np.nan], [2, 1]),
    ],
)
def test_floats_to_integers(instruction, given, want):
    assert calculated(instruction, np.array(given, np.float32)).tolist() == want


@given(arrays.arrays(np.float32, (3, 20), elements=st.floats(-1e6, 1e6, width=32)))
def test_a_fused_sum_is_rounded_once(terms):
    for a, b, c, got in zip(*terms, fused(*terms), strict=True):
        exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        near = [np.nextafter(got, np.float32(-np.inf)), got, np.nextafter(got, np.float32(np.inf))]
        errors = [abs(Fraction(float(value)) - exact) for value in near]
        assert min(errors) == errors[1]


def test_a_double_rounding_is_not_made():
    a, b, c = (np.float32([value]) for value in (1 + 2**-23, 1 + 2**-23, 2**-60))
    assert fused(a, b, c) == np.float32(1 + 2**-22)
    tie = np.float32([1]), np.float32([2**-24]), np.float32([1])
    assert fused(*tie) == 1
    assert fused(np.float32([1 + 2**-12]), np.float32([2**-24]), np.float32([1])) == np.float32(1 + 2**-23)


@SEEDS
def test_lanes_that_part_meet_again(seed):
    out, _ = launch(
        """
    mov.u32 %r2, 0;
    mov.u32 %r3, 0;
LOOP:
    setp.ge.u32 %p1, %r2, %r1;
    @%p1 bra DONE;
    add.u32 %r3, %r3, %r2;
    add.u32 %r2, %r2, 1;
    bra LOOP;
DONE:
    redux.sync.add.s32 %r4, %r3, 0xffffffff;
    add.s32 %r4, %r4, %r3;
    st.global.u32 [%rd5], %r4;""",
        seed=seed,
    )
    sums = LANES * (LANES - 1) // 2
    assert out.tolist() == (sums + sums.sum()).tolist()


@SEEDS
def test_collectives(seed):
    out, _ = launch(
        """
    shfl.sync.bfly.b32 %r2|%p1, %r1, 1, 31, -1;
    shfl.sync.idx.b32 %r3|%p1, %r2, 5, 31, -1;
    setp.lt.u32 %p2, %r1, 3;
    vote.sync.ballot.b32 %r4, %p2, -1;
    mad.lo.s32 %r2, %r3, 100, %r2;
    mad.lo.s32 %r2, %r4, 10000, %r2;
    st.global.u32 [%rd5], %r2;""",
        seed=seed,
    )
    assert out.tolist() == (70000 + 400 + (LANES ^ 1)).tolist()


EXCHANGE = """
    st.shared.u32 [%rd7], %r1;
    {}
    xor.b32 %r2, %r1, {};
    mul.wide.u32 %rd8, %r2, 4;
    add.s64 %rd8, %rd8, %rd6;
    ld.shared.u32 %r3, [%rd8];
    st.global.u32 [%rd5], %r3;"""


@SEEDS
def test_a_barrier_that_is_missing_is_found(seed):
    out, _ = launch(EXCHANGE.format("bar.warp.sync -1;", 1), seed=seed)
    assert out.tolist() == (LANES ^ 1).tolist()
    assert launch(EXCHANGE.format("", 0), seed=seed)[0].tolist() == LANES.tolist()
    with pytest.raises(Fault, match=r"no barrier between|nobody has written"):
        launch(EXCHANGE.format("", 1), seed=seed)


def test_a_barrier_of_a_warp_does_not_serve_a_block():
    body = EXCHANGE.replace("mov.u32 %r1, %tid.x", "").format("{}", 32)
    body = (
        "mov.u32 %r4, %tid.y; mad.lo.s32 %r1, %r4, 32, %r1; mul.wide.u32 %rd3, %r1, 4; add.s64 %rd7, %rd6, %rd3; "
        "add.s64 %rd5, %rd2, %rd3;" + body
    )
    out, _ = launch(body.format("bar.sync 0;"), out=np.empty(64, np.int32), warps=2)
    assert out.tolist() == (np.arange(64) ^ 32).tolist()
    with pytest.raises(Fault, match="no barrier between"):
        launch(body.format("bar.warp.sync -1;"), out=np.empty(64, np.int32), warps=2)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("ld.global.u32 %r2, [%rd4+4]", "outside of buffer 0 of 128 bytes"),
        ("st.global.u32 [%rd5+-4], %r1", "outside of buffer"),
        ("ld.global.u32 %r2, [%rd4+2]", "misaligned"),
        ("ld.shared.u32 %r2, [%rd7]", "nobody has written"),
        ("ld.shared.u32 %r2, [%rd7+4096]", "outside of shared memory"),
        ("st.global.u32 [%rd2], %r1", "two threads write one place"),
        ("setp.lt.u32 %p1, %r1, 3; @%p1 bra OVER; bar.warp.sync -1; OVER:", "wait for ever"),
        ("setp.lt.u32 %p1, %r1, 3; @%p1 ret; bar.warp.sync -1", "wait for ever"),
        ("redux.sync.add.s32 %r2, %r1, 0xff", "some lanes only"),
        ("bar.warp.sync 1", "some lanes only"),
        ("shfl.sync.idx.b32 %r2|%p1, %r1, 20, 4127, -1", "fewer than 32 lanes"),
        ("rem.u32 %r2, 5, %r1", "thread 0 divides by zero"),
        ("ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd1+4]", "misaligned"),
        ("ld.global.u32 %r2, [%rd2]; red.global.add.s32 [%rd2], 1", "no barrier between"),
        ("sin.approx.f32 %f1, %f1", "does not know"),
        ("div.approx.f32 %f1, %f1, %f2", "does not know"),
        ("add.cc.u32 %r2, %r1, %r1", "does not know"),
        ("setp.lt.and.s32 %p1, %r1, 3, %p2", "does not know"),
        ("setp.lt.s32 %p1|%p2, %r1, 3", "does not know"),
        ("cvt.rni.f32.f32 %f2, %f1", "does not know"),
        ("mov.u32 %r2, %laneid", "does not know"),
    ],
)
def test_faults(body, match):
    with pytest.raises(Fault, match=match):
        launch(body + ";")


def test_shared_memory_ends_where_it_was_asked_to():
    launch("st.shared.u32 [%rd7], %r1;", shared_bytes=128)
    with pytest.raises(Fault, match="thread 31 is outside of shared memory of 124 bytes"):
        launch("st.shared.u32 [%rd7], %r1;", shared_bytes=124)


def test_readers_of_two_warps_are_both_remembered():
    """The second warp has a barrier of its own behind it, and then writes what both have read."""
    body = """
    mov.u32 %r2, %tid.y;
    setp.eq.u32 %p1, %r2, 0;
    @%p1 st.shared.u32 [%rd7], %r1;
    bar.sync 0;
    @!%p1 bra SECOND;
    ld.shared.u32 %r3, [%rd7];
    bra OVER;
SECOND:
    bar.warp.sync -1;
    ld.shared.u32 %r3, [%rd7];
    {}
OVER:"""
    launch(body.format(""), warps=2)
    with pytest.raises(Fault, match="thread 32 has written, warp 0 has read with no barrier between"):
        launch(body.format("st.shared.u32 [%rd7], %r3;"), warps=2)


def test_blocks_have_no_barrier_between():
    body = """
    mov.u32 %r2, %ctaid.x;
    setp.eq.u32 %p1, %r2, 0;
    @%p1 bra WRITE;
    bar.sync 0;
    ld.global.u32 %r3, [%rd5];
    bra OVER;
WRITE:
    st.global.u32 [%rd5], %r1;
OVER:"""
    launch(body, blocks=1)
    with pytest.raises(Fault, match="block 1 has read with no barrier between"):
        launch(body, blocks=2)


def test_memory_given_twice_is_one():
    body = "ld.global.u32 %r2, [%rd4]; st.global.u32 [%rd5+128], %r2;"
    launch(body, np.zeros(32, np.int32), np.zeros(64, np.int32))
    same = np.zeros(64, np.int32)
    launch(body, same, same)
    with pytest.raises(Fault, match="no barrier between"):
        launch(
            "xor.b32 %r2, %r1, 1; mul.wide.u32 %rd8, %r2, 4; add.s64 %rd8, %rd1, %rd8; ld.global.u32 %r2, [%rd8];"
            "st.global.u32 [%rd5], %r2;",
            same,
            same,
        )


@SEEDS
def test_a_barrier_does_not_wait_for_threads_that_have_ended(seed):
    launch("mov.u32 %r2, %tid.y; setp.eq.u32 %p1, %r2, 0; @!%p1 bra OVER; bar.sync 0; OVER:", warps=2, seed=seed)


def test_a_wide_load_is_one_request():
    given = np.arange(128, dtype=np.int32)
    out, counts = launch(
        """
    mul.wide.u32 %rd8, %r1, 16;
    add.s64 %rd8, %rd1, %rd8;
    ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd8];
    add.s32 %r2, %r2, %r5;
    st.global.u32 [%rd5], %r2;""",
        given,
    )
    assert out.tolist() == (given[::4] + given[3::4]).tolist()
    assert (counts["load"], counts["load sectors"]) == (1, 16)


def test_atomics_add_up():
    out, counts = launch("red.global.add.s32 [%rd2], %r1; red.global.min.s32 [%rd2+4], %r1;")
    assert out[:2].tolist() == [77 + 31 * 16, 0]
    assert counts["atomic"] == 2


@pytest.mark.parametrize(("step", "sectors", "wavefronts"), [(0, 1, 1), (1, 4, 1), (2, 8, 2), (3, 12, 1), (8, 32, 8)])
def test_sectors_and_bank_conflicts(step, sectors, wavefronts):
    _, counts = launch(
        f"""
    mul.wide.u32 %rd8, %r1, {4 * step};
    add.s64 %rd4, %rd1, %rd8;
    add.s64 %rd7, %rd6, %rd8;
    ld.global.u32 %r2, [%rd4];
    setp.eq.u32 %p1, %r1, 0;
    {"@%p1" if step == 0 else ""} st.shared.u32 [%rd7], %r2;
    bar.warp.sync -1;
    ld.shared.u32 %r2, [%rd7];""",
        np.zeros(256, np.int32),
    )
    assert (counts["load"], counts["load sectors"]) == (1, sectors)
    assert (counts["shared"], counts["shared wavefronts"]) == (2, 2 * wavefronts)
