"""What threads do together: the 32 lanes of a warp, and all that add to one place. And numbers seen as their bits.

Every collective function is to be called by all lanes of a warp.
"""

from llvmlite import ir

from gsrgnn.kernels.cuda.compiler import cuda, device, intrinsic, pointer, types

__all__ = [
    "atomic_add",
    "atomic_min",
    "ballot",
    "bits_float",
    "float_bits",
    "max_uint",
    "min_uint",
    "round_int",
    "shuffle",
    "shuffle_xor",
    "sum_int",
    "sync_warp",
]

EVERY_LANE = 0xFFFFFFFF
_WORD = ir.IntType(32)


def _instruction(text, constraints, out, argument, collective):
    @intrinsic
    def call(typing_context, value):
        def generate(context, builder, signature, arguments):
            function = ir.FunctionType(
                context.get_value_type(signature.return_type), [context.get_value_type(signature.args[0])]
            )
            return builder.asm(function, text, constraints, arguments, collective)

        return out(argument), generate

    return call


def _atomic(operation, kind, constraint):
    @intrinsic
    def call(typing_context, tensor, place, value):
        def generate(context, builder, signature, arguments):
            word, value_type = ir.IntType(64), context.get_value_type(signature.args[2])
            address = builder.ptrtoint(builder.gep(arguments[0], [arguments[1]]), word)
            address = builder.asm(ir.FunctionType(word, [word]), "cvta.to.global.u64 $0, $1;", "=l,l", [address], False)
            builder.asm(
                ir.FunctionType(ir.VoidType(), [word, value_type]),
                f"red.global.{operation} [$0], $1;",
                f"l,{constraint},~{{memory}}",
                [address, arguments[2]],
                True,
            )
            return context.get_dummy_value()

        return types.void(pointer(kind), types.uint64, kind), generate

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
atomic_add = _atomic("add.f32", types.float32, "f")
atomic_min = _atomic("min.s32", types.int32, "r")
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
