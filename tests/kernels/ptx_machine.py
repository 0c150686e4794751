"""Runs the PTX of one kernel on NumPy: what the compiler made of it, where the simulator runs the Python.

Every thread of the grid has a program counter; those with the lowest one go on together, or with a ``seed`` some that
are chosen at random. What a warp or a block does together waits for all of its threads. Integers wrap and floats round
as PTX says. Found and raised as `Fault`: accesses outside a buffer, misaligned, or to shared memory that nobody has
written; two threads at one place, one of them writing, with no barrier between, where a shuffle, a ballot or a sum is
none; threads that wait for ever; and any instruction, modifier or operand that this machine does not know.

Counts what a GPU would be kept busy with: instructions of a warp, sectors of 32 bytes, accesses to shared memory with
their bank conflicts. Not modelled: time, caches, local memory, shared memory other than by words of 4 bytes, and the
machine code that ptxas makes of the PTX.
"""

import re
from collections import Counter

import numpy as np

WINDOW = 36  # bits of an address within a buffer
SHARED = 1024  # where shared memory begins
SPECIAL = re.compile(r"%(tid|ctaid|ntid|nctaid)\.([xyz])$")
TYPE = re.compile(r"[sub](8|16|32|64)|f(32|64)|pred")
WHOLE = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}
COLLECTIVE = {"shfl": "sync idx bfly", "vote": "sync ballot", "redux": "sync add min max", "bar": "sync warp"}
MODIFIERS = (
    COLLECTIVE
    | dict.fromkeys(
        ("rem", "min", "max", "neg", "abs", "and", "or", "xor", "not", "popc", "shl", "shr", "selp", "mov"), ""
    )
    | {
        "add": "rn",
        "sub": "rn",
        "mul": "rn lo hi wide",
        "mad": "lo hi wide",
        "fma": "rn",
        "div": "rn",
        "rcp": "rn",
        "sqrt": "rn",
        "setp": "eq ne lt le gt ge lo ls hi hs equ neu ltu leu gtu geu num nan",
        "cvta": "to global shared",
        "cvt": " ".join((*WHOLE, "rn")),
        "ld": "param global shared nc v2 v4",
        "st": "global shared v2 v4",
        "red": "global relaxed gpu add min max",
        "atom": "global relaxed gpu add min max",
        "bra": "uni",
        "ret": "uni",
        "exit": "",
    }
)
"""What an operation may be followed by, besides types: of anything else this machine does not know what it means."""


class Fault(Exception):
    """What a kernel does wrong, with the instruction that did."""


def dtype(kind):
    """NumPy's for a PTX type, as in ``s32``, ``b64``, ``pred``."""
    if kind == "pred":
        return np.dtype(bool)
    return np.dtype({"s": "int", "u": "uint", "b": "uint", "f": "float"}[kind[0]] + kind[1:])


class Program:
    """PTX, parsed: ``code`` is a list of (guard, operation, operands, text)."""

    def __init__(self, text):
        text = re.sub(r"//[^\n]*", "", text)
        head, body = re.search(r"\.entry\s+\S+\s*\((.*?)\)[^{]*\{(.*)\}", text, re.DOTALL).groups()
        self.parameters = re.findall(r"\.param\s+\.(\w+)\s+(?:\.\w+\s+|\d+\s+)*([\w$]+)\s*(?:,|$)", head)
        self.static = {
            name: int(size) for name, size in re.findall(r"\.shared\s+\.align\s+\d+\s+\.b8\s+([\w$]+)\[(\d+)\]", text)
        }
        self.shared = set(re.findall(r"\.shared\s+\.align\s+\d+\s+\.b8\s+([\w$]+)\[", text))
        self.registers, self.labels, self.code = {}, {}, []
        for statement in re.split(r"[;\n]", re.sub(r"([\w$]+:)(?!:)", r"\1;", body.replace("\n\t", " "))):
            statement = statement.strip()
            if declared := re.match(r"\.reg\s+\.(\w+)\s+(%\w+)<(\d+)>", statement):
                self.registers |= {f"{declared[2]}{i}": declared[1] for i in range(int(declared[3]))}
            elif label := re.match(r"([\w$]+):$", statement):
                self.labels[label[1]] = len(self.code)
            elif statement and not statement.startswith("."):
                parts = re.match(r"(?:@(!?%\w+)\s+)?(\w[\w.:]*)\s*(.*)", statement)
                operation = parts[2].split(".") if parts else [""]
                known = MODIFIERS.get(operation[0])
                if known is None or any(
                    part not in known.split() and not TYPE.fullmatch(part) for part in operation[1:]
                ):
                    raise Fault(f"an instruction that this machine does not know: {statement}")
                operands = [part.strip() for part in re.split(r"[,|](?![^{]*\})", parts[3])] if parts[3] else []
                self.code.append((parts[1], operation, operands, statement))


class Counts(Counter):
    """``instructions`` of a warp, also by operation; ``load``, ``store``, ``atomic``: requests to global memory, and
    with `` sectors`` the sectors they touch; ``shared`` accesses, and ``shared wavefronts`` with conflicts."""


class _Touches:
    """Who touched each entry of a memory in one way, in three ranks.

    Threads since the last barrier of their warp, warps since the last one of their block, and blocks: the lowest and
    the highest number, of the latest such time. Two that differ had no barrier between.
    """

    RANKS = "thread", "warp", "block"

    def __init__(self, size):
        self.low, self.high, self.since = np.full((3, 3, size), -1)

    def others(self, places, numbers, now):
        """``(which of the places, words)`` for the first that another has touched, or None."""
        for rank, (number, time) in enumerate(zip(numbers, now, strict=True)):
            low, high = self.low[rank, places], self.high[rank, places]
            met = np.flatnonzero((self.since[rank, places] == time) & ((low != number) | (high != number)))
            if len(met):
                one = met[0]
                return one, f"{self.RANKS[rank]} {low[one] if low[one] != number[one] else high[one]}"
        return None

    def add(self, places, numbers, now):
        for low, high, since, number, time in zip(self.low, self.high, self.since, numbers, now, strict=True):
            past = places[since[places] != time]
            low[past], high[past] = np.iinfo(int).max, -1
            since[places] = time
            np.minimum.at(low, places, number)
            np.maximum.at(high, places, number)


class _Places:
    """What was done to each entry of a memory, and by whom."""

    CONFLICTS = {"read": ("written", "added"), "written": ("read", "written", "added"), "added": ("read", "written")}

    def __init__(self, size, itemsize=4):
        self.itemsize = itemsize
        self.touches = {what: _Touches(size) for what in self.CONFLICTS}

    def touch(self, machine, where, size, threads, what):
        """``size`` bytes at the byte ``where`` are ``what``, a key of CONFLICTS, by each of the threads."""
        items = np.arange(max(1, size // self.itemsize))
        places, threads = (where[:, None] // self.itemsize + items).ravel(), np.repeat(threads, len(items))
        numbers = threads, threads // 32, threads // machine.in_block
        now = machine.warp_since[numbers[1]], machine.block_since[numbers[2]], np.zeros_like(threads)
        if what == "written" and len(np.unique(places)) < len(places):
            raise machine.fault("two threads write one place at once")
        for other in self.CONFLICTS[what]:
            if met := self.touches[other].others(places, numbers, now):
                raise machine.fault(
                    f"what thread {threads[met[0]]} has {what}, {met[1]} has {other} with no barrier between"
                )
        self.touches[what].add(places, numbers, now)


def run(ptx, blocks, block, arguments, shared_bytes=0, seed=None):
    """Launch a kernel; returns its `Counts`.

    Args:
        ptx: its text, or a `Program`.
        block: ``(32, warps)``.
        arguments: an array, C-contiguous, for each pointer, a number for each scalar.
        seed: of a random schedule; None lets all threads go on together where they can.
    """
    program = ptx if isinstance(ptx, Program) else Program(ptx)
    with np.errstate(all="ignore"):
        return _Machine(program, blocks, block, arguments, shared_bytes, seed).run()


class _Machine:
    def __init__(self, program, blocks, block, arguments, shared_bytes, seed):
        self.program, self.block, self.counts = program, block, Counts()
        self.in_block = block[0] * block[1]
        count = blocks * self.in_block
        number = np.arange(count)
        within = number % self.in_block
        self.special = {
            "tid": (within % block[0], within // block[0]),
            "ctaid": (number // self.in_block, 0 * number),
            "ntid": (0 * number + block[0], 0 * number + block[1]),
            "nctaid": (0 * number + blocks, 0 * number + 1),
        }
        self.registers = {name: np.zeros(count, dtype(kind)) for name, kind in program.registers.items()}
        self.pc, self.waits = np.zeros(count, int), np.zeros(count, bool)
        self.end = len(program.code)
        self.warp_since, self.block_since, self.barriers = np.arange(count // 32), np.arange(blocks), count
        self.buffers, self.touched, self.parameters = [], [], {}
        if len(arguments) != len(program.parameters):
            raise TypeError(f"the kernel takes {len(program.parameters)} arguments, not {len(arguments)}")
        for (kind, name), argument in zip(program.parameters, arguments, strict=True):
            if isinstance(argument, np.ndarray):
                argument = self.place(argument) + 1 << WINDOW
            self.parameters[name] = np.array(argument).astype(dtype(kind))
        self.offsets, place, self.shared_bytes = {}, 0, shared_bytes
        for name in sorted(program.shared, key=lambda name: name not in program.static):
            self.offsets[name] = -(-place // 16) * 16
            place = self.offsets[name] + program.static.get(name, shared_bytes)
        self.shared_end, self.shared_words = place, max(1, -(-place // 4))
        self.shared = np.zeros((blocks, self.shared_words), np.uint32)
        self.written = np.zeros((blocks, self.shared_words), bool)
        self.shared_touched = _Places(self.shared.size)
        self.random = None if seed is None else np.random.default_rng(seed)

    def place(self, array):
        """The number of an argument's buffer; the same memory given twice is one."""
        data = array.reshape(-1).view(np.uint8)
        for number, other in enumerate(self.buffers):
            if np.shares_memory(data, other):
                if (data.ctypes.data, data.size) != (other.ctypes.data, other.size):
                    raise ValueError("two arguments overlap in part, which this machine does not model")
                if array.itemsize < self.touched[number].itemsize:
                    self.touched[number] = _Places(array.size, array.itemsize)
                return number
        self.buffers.append(data)
        self.touched.append(_Places(array.size, array.itemsize))
        return len(self.buffers) - 1

    def fault(self, what):
        return Fault(f"{what}: {self.text}")

    def forbid(self, bad, threads, what, where=None):
        """A fault of the first thread for which ``bad`` holds, at its address ``where``."""
        if bad.any():
            one = np.argmax(bad)
            raise self.fault(f"thread {threads[one]} {what}" + ("" if where is None else f", at {where[one]:#x}"))

    def run(self):
        while True:
            ready = np.flatnonzero((self.pc < self.end) & ~self.waits)
            if not len(ready):
                if (stuck := np.flatnonzero(self.waits)).size:
                    self.text = self.program.code[self.pc[stuck[0]]][3]
                    raise self.fault(f"{len(stuck)} threads wait for ever, thread {stuck[0]} among them")
                return self.counts
            if self.random is None:
                threads = ready[self.pc[ready] == self.pc[ready].min()]
                others = self.pc[ready]
                others = others[others > self.pc[threads[0]]]
                limit = others.min() if len(others) else self.end
            else:
                threads = ready[self.pc[ready] == self.pc[self.random.choice(ready)]]
                threads = threads[self.random.random(len(threads)) < self.random.choice([0.5, 1])]
                limit = self.pc[threads[0]] + 1 if len(threads) else 0
            while len(threads) and self.pc[threads[0]] < limit:
                if not self.step(threads):
                    break

    def step(self, threads):
        """Execute one instruction; whether the threads are still together, at the next one."""
        pc = self.pc[threads[0]]
        guard, operation, operands, self.text = self.program.code[pc]
        active = threads
        if guard:
            holds = self.registers[guard.lstrip("!")][threads] != guard.startswith("!")
            active = threads[holds]
        name = operation[0]
        if name in COLLECTIVE:
            return self.together(active, operation, operands, pc, whole=not guard)
        warps = len(np.unique(threads >> 5))
        self.counts["instructions"] += warps
        self.counts[name] += warps
        self.pc[threads] = pc + 1
        if name == "bra":
            self.pc[active] = self.program.labels[operands[0]]
            return False
        if name in ("ret", "exit"):
            self.pc[active] = self.end  # a barrier of their blocks may wait for no others
            self.waits[np.isin(np.arange(len(self.pc)) // self.in_block, active // self.in_block)] = False
            return False
        if len(active) and name in ELEMENTWISE:
            self.calculate(active, operation[-1], operands, ELEMENTWISE[name])
        elif len(active):
            getattr(self, f"do_{name}")(active, operation[1:], operands)
        return True

    def unknown(self, *_):
        raise self.fault("an instruction that this machine does not know")

    # Operands

    def get(self, operand, threads, kind):
        """An operand's value for each of the threads, in the PTX type ``kind``."""
        if operand in self.registers:
            value = self.registers[operand][threads]
            wanted = dtype(kind)
            if value.dtype == wanted or value.itemsize == wanted.itemsize:
                return value.view(wanted)
            return value.view(f"u{value.itemsize}").astype(f"u{wanted.itemsize}").view(wanted)
        if special := SPECIAL.match(operand):
            axis = "xyz".index(special[2])
            return (self.special[special[1]][axis] if axis < 2 else np.zeros(len(self.pc), int))[threads].astype(
                dtype(kind)
            )
        if operand == "%dynamic_smem_size":
            value = np.array(self.shared_bytes)
        elif operand.startswith(("0f", "0F")):
            value = np.array(int(operand[2:], 16), np.uint32).view(np.float32)
        elif operand.startswith(("0d", "0D")):
            value = np.array(int(operand[2:], 16), np.uint64).view(np.float64)
        elif operand in self.offsets:
            value = np.array(SHARED + self.offsets[operand])
        elif not re.fullmatch(r"-?(0[xX][0-9a-fA-F]+|\d+)", operand):
            self.unknown()
        else:
            value = np.array(int(operand, 0) & (1 << 64) - 1, np.uint64)
            if kind[0] != "f" and kind != "pred":
                value = value.astype(f"u{dtype(kind).itemsize}").view(dtype(kind))
        return np.broadcast_to(value.astype(dtype(kind)), threads.shape)

    def put(self, operand, threads, value):
        """A register's new value: of its own size, or extended to it as the value's type says."""
        if operand not in self.registers:
            self.unknown()
        register = self.registers[operand]
        if value.dtype.itemsize < register.itemsize:
            value = value.astype(f"{'i' if value.dtype.kind == 'i' else 'u'}{register.itemsize}")
        elif value.dtype.itemsize > register.itemsize:
            value = value.view(f"u{value.itemsize}").astype(f"u{register.itemsize}")
        register[threads] = value.view(register.dtype)

    def address(self, operand, threads):
        base, _, offset = operand.strip("[]").partition("+")
        return self.get(base, threads, "u64").astype(np.int64) + int(offset or 0)

    # Arithmetic

    def calculate(self, threads, kind, operands, function):
        values = [self.get(operand, threads, kind) for operand in operands[1:]]
        self.put(operands[0], threads, np.asarray(function(*values)).astype(dtype(kind)))

    def do_mul(self, threads, types, operands):
        self.multiply(threads, types, operands, lambda product, kind: product)

    def do_mad(self, threads, types, operands):
        self.multiply(
            threads,
            types,
            operands,
            lambda product, kind: product + self.get(operands[3], threads, kind).astype(product.dtype),
        )

    def multiply(self, threads, types, operands, then):
        kind = types[-1]
        if "wide" in types:
            double = kind[0] + str(2 * int(kind[1:]))
            a, b = (self.get(operand, threads, kind).astype(dtype(double)) for operand in operands[1:3])
            self.put(operands[0], threads, then(a * b, double))
        elif "hi" in types:
            a, b = (self.get(operand, threads, kind).astype(object) for operand in operands[1:3])
            high = ((a * b) >> int(kind[1:])) % (1 << int(kind[1:]))
            self.put(operands[0], threads, then(high.astype(f"u{int(kind[1:]) // 8}").view(dtype(kind)), kind))
        else:
            a, b = (self.get(operand, threads, kind) for operand in operands[1:3])
            self.put(operands[0], threads, then(a * b, kind))

    def do_div(self, threads, types, operands):
        self.divide(threads, types, operands, np.divide if types[-1][0] == "f" else truncated)

    def do_rem(self, threads, types, operands):
        self.divide(threads, types, operands, np.fmod)

    def divide(self, threads, types, operands, function):
        if types[-1][0] != "f":
            self.forbid(self.get(operands[2], threads, types[-1]) == 0, threads, "divides by zero")
        self.calculate(threads, types[-1], operands, function)

    def do_popc(self, threads, types, operands):
        bits = self.get(operands[1], threads, types[-1])
        self.put(operands[0], threads, np.bitwise_count(bits).astype(np.uint32))

    def do_shl(self, threads, types, operands):
        value, by = self.get(operands[1], threads, types[-1]), self.get(operands[2], threads, "u32")
        bits = 8 * value.itemsize
        shifted = np.left_shift(value, np.minimum(by, bits - 1).astype(value.dtype))
        self.put(operands[0], threads, np.where(by < bits, shifted, 0).astype(value.dtype))

    def do_shr(self, threads, types, operands):
        value, by = self.get(operands[1], threads, types[-1]), self.get(operands[2], threads, "u32")
        bits = 8 * value.itemsize
        shifted = np.right_shift(value, np.minimum(by, bits - 1).astype(value.dtype))
        rest = shifted if value.dtype.kind == "i" else 0
        self.put(operands[0], threads, np.where(by < bits, shifted, rest).astype(value.dtype))

    def do_setp(self, threads, types, operands):
        compare, kind = types[0], types[-1]
        if len(operands) != 3:
            self.unknown()
        a, b = (self.get(operand, threads, kind) for operand in operands[1:3])
        ordered = {"eq": a == b, "ne": (a < b) | (a > b), "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}
        unordered = kind[0] == "f" and compare in ("equ", "neu", "ltu", "leu", "gtu", "geu")
        if kind[0] == "f" and compare in ("num", "nan"):
            holds = (np.isnan(a) | np.isnan(b)) == (compare == "nan")
        else:
            known = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}.get(compare, compare[:2])
            holds = ordered[known] | (unordered & (np.isnan(a) | np.isnan(b)) if unordered else False)
        self.put(operands[0], threads, holds)

    def do_selp(self, threads, types, operands):
        a, b = (self.get(operand, threads, types[-1]) for operand in operands[1:3])
        self.put(operands[0], threads, np.where(self.get(operands[3], threads, "pred"), a, b))

    def do_mov(self, threads, types, operands):
        self.put(operands[0], threads, self.get(operands[1], threads, types[-1]))

    def do_cvta(self, threads, types, operands):
        self.put(operands[0], threads, self.get(operands[1], threads, "u64"))

    def do_cvt(self, threads, types, operands):
        rounding, (target, source) = types[:-2], types[-2:]
        value = self.get(operands[1], threads, source)
        inexact = target[0] == "f" and (source[0] != "f" or source > target)
        if (rounding[0] not in WHOLE) if source[0] == "f" and target[0] != "f" else rounding != ["rn"] * inexact:
            self.unknown()
        if source[0] == "f" and target[0] != "f":
            value = WHOLE[rounding[0]](value.astype(float))
            limits = np.iinfo(dtype(target))
            value = np.nan_to_num(value, nan=0)
            low, high = value <= limits.min, value >= limits.max
            value = np.where(low | high, 0, value).astype(dtype(target))
            value = np.where(high, limits.max, np.where(low, limits.min, value))
        self.put(operands[0], threads, value.astype(dtype(target)))

    # Memory

    def do_ld(self, threads, types, operands):
        space, kind, names = types[0], types[-1], operands[0].strip("{}").split(",")
        if space == "param":
            symbol = operands[1].strip("[]")
            if symbol not in self.parameters:
                self.unknown()
            values = [np.broadcast_to(self.parameters[symbol].astype(dtype(kind)), threads.shape)]
        else:
            values = self.access(types, self.address(operands[1], threads), threads, len(names))
        for name, value in zip(names, values, strict=True):
            self.put(name.strip(), threads, value)

    def do_st(self, threads, types, operands):
        names = operands[1].strip("{}").split(",")
        values = [self.get(name.strip(), threads, types[-1]) for name in names]
        self.access(types, self.address(operands[0], threads), threads, len(names), values)

    def access(self, types, where, threads, count, values=None):
        """Read or write ``count`` neighbouring numbers of each thread: one request."""
        space, kind = types[0], dtype(types[-1])
        self.forbid(where % (count * kind.itemsize) != 0, threads, "is misaligned", where)
        if space == "shared" and count == 1 and kind.itemsize == 4:
            return [self.access_shared(where - SHARED, threads, kind, None if values is None else values[0])]
        if space != "global":
            self.unknown()
        self.request("load" if values is None else "store", where, threads)
        found = np.empty((count, len(where)), kind)
        for number, own in self.by_buffer(where, count * kind.itemsize, threads):
            first, data = where[own] & (1 << WINDOW) - 1, self.buffers[number].view(kind)
            self.touched[number].touch(
                self, first, count * kind.itemsize, threads[own], "read" if values is None else "written"
            )
            for place in range(count):
                if values is None:
                    found[place, own] = data[first // kind.itemsize + place]
                else:
                    data[first // kind.itemsize + place] = values[place][own]
        return found

    def by_buffer(self, where, size, threads):
        numbers = (where >> WINDOW) - 1
        for number in np.unique(numbers):
            own = numbers == number
            end = len(self.buffers[number]) if 0 <= number < len(self.buffers) else 0
            self.forbid(
                (where[own] & (1 << WINDOW) - 1) + size > end,
                threads[own],
                f"is outside of buffer {number} of {end} bytes",
                where[own],
            )
            yield number, own

    def access_shared(self, offset, threads, kind, value):
        blocks, words = threads // self.in_block, offset // 4
        self.forbid(
            (offset < 0) | (offset + 4 > self.shared_end),
            threads,
            f"is outside of shared memory of {self.shared_end} bytes",
            offset,
        )
        keys = np.unique(np.stack([threads >> 5, words]), axis=1)
        self.counts["shared"] += len(np.unique(keys[0]))
        warps = np.unique(keys[0], return_inverse=True)[1]
        self.counts["shared wavefronts"] += int(
            np.bincount(warps * 32 + keys[1] % 32, minlength=32 * (warps.max() + 1)).reshape(-1, 32).max(1).sum()
        )
        self.shared_touched.touch(
            self, 4 * (blocks * self.shared_words + words), 4, threads, "read" if value is None else "written"
        )
        if value is not None:
            self.shared[blocks, words], self.written[blocks, words] = value.view(np.uint32), True
        self.forbid(~self.written[blocks, words], threads, "reads shared memory that nobody has written")
        return self.shared[blocks, words].view(kind)

    def do_red(self, threads, types, operands):
        self.atomic(types, self.address(operands[0], threads), threads, operands[1])

    def do_atom(self, threads, types, operands):
        self.put(operands[0], threads, self.atomic(types, self.address(operands[1], threads), threads, operands[2]))

    def atomic(self, types, where, threads, operand):
        operation, kind = types[-2], dtype(types[-1])
        value = self.get(operand, threads, types[-1])
        self.forbid(where % kind.itemsize != 0, threads, "is misaligned", where)
        self.request("atomic", where, threads)
        found = np.empty(len(where), kind)
        function = {"add": np.add, "min": np.minimum, "max": np.maximum}[operation]
        for number, own in self.by_buffer(where, kind.itemsize, threads):
            first = where[own] & (1 << WINDOW) - 1
            self.touched[number].touch(self, first, kind.itemsize, threads[own], "added")
            places = first // kind.itemsize
            found[own] = self.buffers[number].view(kind)[places]
            function.at(self.buffers[number].view(kind), places, value[own])
        return found

    def request(self, what, where, threads):
        keys = np.stack([threads >> 5, where >> 5])
        self.counts[what] += len(np.unique(keys[0]))
        self.counts[f"{what} sectors"] += len(np.unique(keys, axis=1).T)

    # What threads do together

    def together(self, active, operation, operands, pc, whole):
        """A collective: of the threads that have come to it, those whose warp or block is complete go on."""
        if not whole:
            raise self.fault("a collective under a predicate")
        of_block = operation == ["bar", "sync"]
        size = self.in_block if of_block else 32
        self.waits[active] = True
        there = np.flatnonzero((self.pc == pc) & self.waits)
        groups, counts = np.unique(there // size, return_counts=True)
        expected = np.full(len(groups), size)
        if of_block:  # threads that have ended are not waited for
            ended = np.bincount(np.flatnonzero(self.pc >= self.end) // size, minlength=groups.max() + 1)
            expected = size - ended[groups]
        ready = np.isin(there // size, groups[counts == expected])
        going = there[ready]
        self.waits[going] = False
        if not len(going):
            return False
        self.counts["instructions"] += len(np.unique(going >> 5))
        self.counts[operation[0]] += len(np.unique(going >> 5))
        self.pc[going] = pc + 1
        if of_block and operands != ["0"]:
            self.unknown()
        if not of_block and (self.get(operands[-1], going, "s32") != -1).any():
            raise self.fault("a collective of some lanes only")
        if operation[0] == "bar":
            ahead, self.barriers = np.arange(self.barriers, self.barriers + len(self.pc)), self.barriers + len(self.pc)
            self.warp_since[going // 32] = ahead[going // 32]
            if of_block:
                self.block_since[going // size] = ahead[going // size]
        else:
            getattr(self, f"all_{operation[0]}")(going, operation[1:], operands)
        return len(going) == len(active) and np.array_equal(going, active)

    def all_shfl(self, threads, types, operands):
        target, valid, value, by = operands[0], operands[1], operands[-4], self.get(operands[-3], threads, "u32")
        self.forbid(self.get(operands[-2], threads, "u32") != 31, threads, "shuffles among fewer than 32 lanes")
        lane = threads & 31
        source = {"idx": by & 31, "bfly": lane ^ (by & 31)}[types[1]].astype(int)
        values = (
            self.registers[value]
            if value in self.registers
            else np.broadcast_to(self.get(value, threads, "b32"), len(self.pc))
        )
        self.put(target, threads, values[(threads & ~31) + source].copy())
        if valid.startswith("%p"):
            self.registers[valid][threads] = True

    def all_vote(self, threads, types, operands):
        holds = self.get(operands[1], threads, "pred").reshape(-1, 32)
        bits = (holds.astype(np.uint64) << np.arange(32, dtype=np.uint64)).sum(1).astype(np.uint32)
        self.put(operands[0], threads, np.repeat(bits, 32))

    def all_redux(self, threads, types, operands):
        values = self.get(operands[1], threads, types[-1]).reshape(-1, 32)
        result = {"add": lambda v: v.sum(1, dtype=v.dtype), "min": lambda v: v.min(1), "max": lambda v: v.max(1)}[
            types[1]
        ](values)
        self.put(operands[0], threads, np.repeat(result, 32))


def fused(a, b, c):
    """``a * b + c`` of float32, rounded once: in float64 rounded to odd, then to float32."""
    product, addend = a.astype(float) * b.astype(float), c.astype(float)
    total = product + addend
    part = total - product
    rest = (product - (total - part)) + (addend - part)
    even = (total.view(np.int64) & 1) == 0
    odd = np.nextafter(total, np.where(rest > 0, np.inf, -np.inf))
    return np.where(np.isfinite(total) & (rest != 0) & even, odd, total).astype(np.float32)


def truncated(a, b):
    """The quotient of integers, rounded towards 0."""
    quotient = a // b
    return quotient + ((a % b != 0) & ((a < 0) != (b < 0)))


ELEMENTWISE = {
    "add": np.add,
    "sub": np.subtract,
    "fma": fused,
    "neg": np.negative,
    "abs": np.abs,
    "min": np.fmin,
    "max": np.fmax,
    "rcp": lambda a: 1 / a,
    "sqrt": np.sqrt,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
}
"""Operations that are a function of their operands, in the type of all of them."""
