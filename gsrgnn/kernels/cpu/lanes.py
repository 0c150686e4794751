"""Inner loops in LLVM's own instructions, where it does not find the vectors by itself.

A sum of rows is one loop inside another; as written, the result would be loaded and stored once for every row that is
added. Here a tile of it stays in registers. What is compared in vectors leaves a mask of bits, by which the few that
matter are found without looking at the others.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from gsrgnn.kernels.cpu.threads import inlined, inner

WIDE, NARROW = 64, 16  # columns of a tile: 4 registers of AVX-512 or 8 of AVX2, and the least that fills one
_CONTRACT = ("contract",)


def _array(context, builder, kind, array):
    return context.make_array(kind)(context, builder, array)


def _vector(builder, pointer, offset, width):
    """A pointer to the ``width`` numbers at ``pointer[offset]``."""
    return builder.bitcast(builder.gep(pointer, [offset]), ir.VectorType(pointer.type.pointee, width).as_pointer())


def _every_lane(builder, number, width):
    """A vector of ``width`` times ``number``."""
    lane = ir.IntType(32)
    one = builder.insert_element(ir.Constant(ir.VectorType(number.type, width), ir.Undefined), number, lane(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(lane, width), [0] * width))


def _fused(builder, total, left, right):
    return builder.fadd(total, builder.fmul(left, right, flags=_CONTRACT), flags=_CONTRACT)


def _tile_of(width):
    """An intrinsic that adds ``sum_e weight[e] scale[sources[e]] x[sources[e]]`` to ``width`` columns of a row."""
    piece = min(width, WIDE)

    @intrinsic
    def add_tile(context, row, column, x, sources, weight, scale, start, stop):
        def generate(context, builder, signature, arguments):
            row_kind, _, x_kind, sources_kind, weight_kind, scale_kind, *_ = signature.args
            row, column, x, sources, weight, scale, start, stop = arguments
            x = _array(context, builder, x_kind, x)
            row, sources, weight = (
                _array(context, builder, kind, array).data
                for kind, array in ((row_kind, row), (sources_kind, sources), (weight_kind, weight))
            )
            columns = cgutils.unpack_tuple(builder, x.shape, 2)[1]
            align = context.get_abi_sizeof(row.type.pointee)
            row, first = builder.gep(row, [column]), builder.gep(x.data, [column])
            pieces = [column.type(c) for c in range(0, width, piece)]
            targets = [_vector(builder, row, c, piece) for c in pieces]
            totals = [cgutils.alloca_once_value(builder, builder.load(target, align=align)) for target in targets]
            with cgutils.for_range_slice(builder, start, stop, start.type(1)) as (e, _):
                source = context.cast(builder, builder.load(builder.gep(sources, [e])), sources_kind.dtype, types.intp)
                factor = builder.load(builder.gep(weight, [e]))
                if scale_kind is not types.none:
                    scales = _array(context, builder, scale_kind, scale).data
                    factor = builder.fmul(factor, builder.load(builder.gep(scales, [source])))
                factors = _every_lane(builder, factor, piece)
                numbers = builder.gep(first, [builder.mul(source, columns)])
                for c, total in zip(pieces, totals, strict=True):
                    some = builder.load(_vector(builder, numbers, c, piece), align=align)
                    builder.store(_fused(builder, builder.load(total), some, factors), total)
            for target, total in zip(targets, totals, strict=True):
                builder.store(builder.load(total), target, align=align)
            return context.get_dummy_value()

        return types.void(row, types.intp, x, sources, weight, scale, types.intp, types.intp), generate

    return add_tile


_add_wide, _add_middle, _add_narrow, _add_one = _tile_of(3 * WIDE), _tile_of(WIDE), _tile_of(NARROW), _tile_of(1)


@inlined
def add_rows(row, x, sources, weight, scale, start, stop):
    """Add ``sum_e weight[e] scale[sources[e]] x[sources[e]]``, ``e = start .. stop - 1``, to ``row [D]``.

    ``scale`` is None where all are 1. The arrays are contiguous.
    """
    wide = len(row) // (3 * WIDE) * (3 * WIDE)
    middle = len(row) // WIDE * WIDE
    narrow = len(row) // NARROW * NARROW
    for c in range(0, wide, 3 * WIDE):
        _add_wide(row, c, x, sources, weight, scale, start, stop)
    for c in range(wide, middle, WIDE):
        _add_middle(row, c, x, sources, weight, scale, start, stop)
    for c in range(middle, narrow, NARROW):
        _add_narrow(row, c, x, sources, weight, scale, start, stop)
    for c in range(narrow, len(row)):
        _add_one(row, c, x, sources, weight, scale, start, stop)


def _column_tile_of(width):
    """An intrinsic for ``width`` columns of `dot_and_add`."""

    @intrinsic
    def add_tile(context, grad, rows, values, start, stop, vector, dvector, column, dots):
        def generate(context, builder, signature, arguments):
            kinds = signature.args
            grad, rows, values, start, stop, vector, dvector, column, dots = arguments
            grad = _array(context, builder, kinds[0], grad)
            columns = cgutils.unpack_tuple(builder, grad.shape, 2)[1]
            rows, values, vector, dvector, dots = (
                _array(context, builder, kinds[n], arguments[n]).data for n in (1, 2, 5, 6, 8)
            )
            align = context.get_abi_sizeof(vector.type.pointee)
            first = builder.gep(grad.data, [column])
            by = builder.load(_vector(builder, vector, column, width), align=align)
            target = _vector(builder, dvector, column, width)
            total = cgutils.alloca_once_value(builder, builder.load(target, align=align))
            with cgutils.for_range_slice(builder, start, stop, start.type(1)) as (e, _):
                row = builder.zext(builder.load(builder.gep(rows, [e])), column.type)
                g = builder.load(_vector(builder, first, builder.mul(row, columns), width), align=align)
                value = _every_lane(builder, builder.load(builder.gep(values, [e])), width)
                builder.store(_fused(builder, builder.load(total), g, value), total)
                place = _vector(builder, dots, builder.mul(e, e.type(NARROW)), NARROW)
                dot = builder.load(place, align=align)
                for lane in range(0, width, NARROW):
                    dot = _fused(builder, dot, *(_lanes(builder, vector, lane) for vector in (g, by)))
                builder.store(dot, place, align=align)
            builder.store(builder.load(total), target, align=align)
            return context.get_dummy_value()

        arguments = grad, rows, values, types.intp, types.intp, vector, dvector, types.intp, dots
        return types.void(*arguments), generate

    return add_tile


def _lanes(builder, vector, first):
    """`NARROW` lanes of a vector from ``first`` on."""
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), NARROW), list(range(first, first + NARROW)))
    return builder.shuffle_vector(vector, vector, lanes)


_wide_column, _narrow_column = _column_tile_of(WIDE), _column_tile_of(NARROW)


@inlined
def dot_and_add(grad, rows, values, start, stop, vector, dvector, dots):
    """Dot products with ``vector [C]`` and their gradient, for the rows ``g = grad[rows[e]]``, ``start <= e < stop``.

    ``g * vector`` is added to ``dots[e]``, spread over its `NARROW` numbers, and ``values[e] * g`` to ``dvector``.
    """
    if start == stop:
        return
    wide = len(vector) // WIDE * WIDE
    narrow = len(vector) // NARROW * NARROW
    for c in range(0, wide, WIDE):
        _wide_column(grad, rows, values, start, stop, vector, dvector, c, dots)
    for c in range(wide, narrow, NARROW):
        _narrow_column(grad, rows, values, start, stop, vector, dvector, c, dots)
    for e in range(start, stop):
        for c in range(narrow, len(vector)):
            dots[e, 0] += grad[rows[e], c] * vector[c]
            dvector[c] += values[e] * grad[rows[e], c]


@intrinsic
def _reaching(context, keys, start, least):
    """A bit a key from ``start`` on, `WIDE` of them, the first one lowest: whether it is ``least`` or more."""

    def generate(context, builder, signature, arguments):
        keys, start, least = arguments
        keys = _array(context, builder, signature.args[0], keys).data
        some = builder.load(_vector(builder, keys, start, WIDE), align=least.type.width // 8)
        bits = builder.icmp_signed(">=", some, _every_lane(builder, least, WIDE))
        return builder.bitcast(bits, ir.IntType(WIDE))

    return types.uint64(keys, types.intp, least), generate


@intrinsic
def _ones(context, bits):
    """How many bits are set."""
    return types.intp(types.uint64), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


@intrinsic
def _lowest(context, bits):
    """The place of the lowest bit that is set."""
    return types.intp(types.uint64), lambda context, builder, signature, arguments: builder.cttz(
        arguments[0], ir.IntType(1)(1)
    )


@inner
def count_reaching(keys, least):
    """How many keys are ``least`` or more."""
    wide = len(keys) // WIDE * WIDE
    count = 0
    for c in range(0, wide, WIDE):
        count += _ones(_reaching(keys, c, least))
    rest = np.int32(0)
    for j in range(wide, len(keys)):
        rest = np.int32(rest + np.int32(keys[j] >= least))  # named at each step: a sum of int32 is int64 to Numba
    return count + rest


@inner
def find_reaching(keys, least, places):
    """The places of the keys that are ``least`` or more, ascending; there are ``len(places)`` of them."""
    wide = len(keys) // WIDE * WIDE
    t = 0
    for c in range(0, wide, WIDE):
        bits = _reaching(keys, c, least)
        while bits:
            places[t] = c + _lowest(bits)
            bits &= bits - np.uint64(1)
            t += 1
    for j in range(wide, len(keys)):
        if t == len(places):
            break
        places[t] = j
        t += keys[j] >= least
