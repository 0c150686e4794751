"""What the 32 lanes of a warp do together, and conversions between numbers and their bits.

Every collective function is to be called by all lanes of a warp.
"""

from llvmlite import ir

from gsrgnn.kernels.cuda.compiler import cuda, device, intrinsic, types

__all__ = ["ballot", "bits_float", "float_bits", "max_uint", "min_uint", "round_int", "shuffle", "shuffle_xor",
           "sum_int", "sync_warp"]

EVERY_LANE = 0xFFFFFFFF
_WORD = ir.IntType(32)


def _instruction(text, constraints, out, argument, collective):
    @intrinsic
    def call(typing_context, value):
        def generate(context, builder, signature, arguments):
            function = ir.FunctionType(context.get_value_type(signature.return_type),
                                       [context.get_value_type(signature.args[0])])
            return builder.asm(function, text, constraints, arguments, collective)
        return out(argument), generate
    return call


def _reinterpret(out, argument):
    @intrinsic
    def call(typing_context, value):
        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))
        return out(argument), generate
    return call


sum_int = _instruction("redux.sync.add.s32 $0, $1, 0xffffffff;", "=r,r", types.int32, types.int32, True)
min_uint = _instruction("redux.sync.min.u32 $0, $1, 0xffffffff;", "=r,r", types.uint32, types.uint32, True)
max_uint = _instruction("redux.sync.max.u32 $0, $1, 0xffffffff;", "=r,r", types.uint32, types.uint32, True)
round_int = _instruction("cvt.rni.s32.f32 $0, $1;", "=r,f", types.int32, types.float32, False)
float_bits = _reinterpret(types.uint32, types.float32)
bits_float = _reinterpret(types.float32, types.uint32)


@device
def ballot(predicate):
    """A bit a lane: where ``predicate`` holds."""
    return cuda.ballot_sync(EVERY_LANE, predicate)


@device
def shuffle(value, lane):
    """The ``value`` of another lane."""
    return cuda.shfl_sync(EVERY_LANE, value, lane)


@device
def shuffle_xor(value, mask):
    """The ``value`` of the lane whose number differs by ``mask``."""
    return cuda.shfl_xor_sync(EVERY_LANE, value, mask)


@device
def sync_warp():
    """What a lane wrote before, all lanes of its warp read after."""
    cuda.syncwarp(EVERY_LANE)
