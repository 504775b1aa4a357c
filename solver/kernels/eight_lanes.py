"""Eight numbers as one value: arithmetic, comparison and choice on all of them at once, inside compiled kernels.

The compiler turns a loop into vector code only where nothing branches and memory lies in order. A kernel that samples
pictures is written with these instead: `FLOATS` (float32), `WHOLES` (int32) and `MASK` (true or false) are Numba types
with the usual operators; a float32 or int32 scalar joins in as eight equal ones. They are plain LLVM vectors, for any
processor. They live in registers: they go to and from arrays by `load8` and `store8`, and never to Python.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typeconv.castgraph import Conversion
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic as _intrinsic
from numba.extending import lower_builtin, lower_cast, models, register_model

intrinsic: Any = _intrinsic
"""Untyped: compiled code calls what it decorates without the first argument."""
COUNT = 8
_BYTE, _INT, _LONG, _FLOAT = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
_FAST = ("contract", "arcp", "nsz", "reassoc")


class Lanes(types.Type):
    """Eight numbers of one kind."""

    def __init__(self, scalar: types.Type) -> None:
        self.scalar = scalar
        super().__init__(f"lanes({scalar})")

    def can_convert_from(self, typingctx, other):
        """A scalar of the same kind becomes eight equal ones."""
        return Conversion.promote if other == self.scalar and other != types.boolean else None


FLOATS, WHOLES, MASK = Lanes(types.float32), Lanes(types.int32), Lanes(types.boolean)
# A mask is kept as a processor's comparison leaves it: 0 or -1.
_ELEMENTS = {types.float32: _FLOAT, types.int32: _INT, types.boolean: _INT}


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, ir.VectorType(_ELEMENTS[lanes.scalar], COUNT))


def _vector(element, values):
    return ir.Constant(ir.VectorType(element, len(values)), list(values))


@lower_cast(types.float32, FLOATS)
@lower_cast(types.int32, WHOLES)
def _spread(context, builder, given, wanted, value):
    one = builder.insert_element(ir.Constant(ir.VectorType(value.type, COUNT), ir.Undefined), value, _INT(0))
    return builder.shuffle_vector(one, one, _vector(_INT, [0] * COUNT))


def _mask(builder, truths):
    return builder.sext(truths, ir.VectorType(_INT, COUNT))


def _truths(builder, mask):
    return builder.icmp_signed("<", mask, _vector(_INT, [0] * COUNT))


def _define(function, result, operand, operand_count, write):
    """Operator `function` on lanes: `write(builder, *values)` makes the code."""
    operands = (operand,) * operand_count
    infer_global(function)(type("_Template", (ConcreteTemplate,), {"cases": [signature(result, *operands)]}))  # pyright: ignore[reportCallIssue, reportOptionalCall]
    lower_builtin(function, *operands)(lambda context, builder, sig, args: write(builder, *args))


def _define_operators():
    for function, name in (
        (operator.add, "fadd"),
        (operator.sub, "fsub"),
        (operator.mul, "fmul"),
        (operator.truediv, "fdiv"),
    ):
        _define(function, FLOATS, FLOATS, 2, lambda b, x, y, name=name: getattr(b, name)(x, y, flags=_FAST))
    _define(operator.neg, FLOATS, FLOATS, 1, lambda b, x: b.fneg(x))
    for function, word in (
        (operator.lt, "<"),
        (operator.le, "<="),
        (operator.gt, ">"),
        (operator.ge, ">="),
        (operator.ne, "!="),
    ):
        _define(function, MASK, FLOATS, 2, lambda b, x, y, word=word: _mask(b, b.fcmp_ordered(word, x, y)))
    for function, name in ((operator.add, "add"), (operator.sub, "sub"), (operator.mul, "mul")):
        _define(function, WHOLES, WHOLES, 2, lambda b, x, y, name=name: getattr(b, name)(x, y))
    for function, name in ((operator.and_, "and_"), (operator.or_, "or_")):
        _define(function, MASK, MASK, 2, lambda b, x, y, name=name: getattr(b, name)(x, y))
    _define(operator.invert, MASK, MASK, 1, lambda b, x: b.not_(x))


_define_operators()


@intrinsic
def ramp(typingctx):
    """0, 1, 2, .. 7 in float32."""
    return FLOATS(), lambda context, builder, sig, args: _vector(_FLOAT, [float(n) for n in range(COUNT)])


@intrinsic
def spread(typingctx, value):
    """Eight times a float32."""

    def generate(context, builder, sig, args):
        return _spread(context, builder, None, None, args[0])

    return FLOATS(types.float32), generate


@intrinsic
def choose(typingctx, mask, yes, no):
    """`yes` where `mask`, else `no`; float32."""

    def generate(context, builder, sig, args):
        mask, yes, no = args
        return builder.select(_truths(builder, mask), yes, no)

    return FLOATS(MASK, FLOATS, FLOATS), generate


@intrinsic
def least(typingctx, a, b):
    """The smaller of float32 lanes; `b` where one is NaN."""

    def generate(context, builder, sig, args):
        return builder.select(builder.fcmp_ordered("<", *args), *args)

    return FLOATS(FLOATS, FLOATS), generate


@intrinsic
def greatest(typingctx, a, b):
    """The larger of float32 lanes; `b` where one is NaN."""

    def generate(context, builder, sig, args):
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return FLOATS(FLOATS, FLOATS), generate


@intrinsic
def truncate(typingctx, a):
    """float32 lanes cut to int32; what does not fit is undefined."""

    def generate(context, builder, sig, args):
        return builder.fptosi(args[0], ir.VectorType(_INT, COUNT))

    return WHOLES(FLOATS), generate


@intrinsic
def as_floats(typingctx, a):
    """int32 lanes in float32."""

    def generate(context, builder, sig, args):
        return builder.sitofp(args[0], ir.VectorType(_FLOAT, COUNT))

    return FLOATS(WHOLES), generate


@intrinsic
def choose_whole(typingctx, mask, yes, no):
    """`yes` where `mask`, else `no`; int32."""

    def generate(context, builder, sig, args):
        mask, yes, no = args
        return builder.select(_truths(builder, mask), yes, no)

    return WHOLES(MASK, WHOLES, WHOLES), generate


@intrinsic(prefer_literal=True)
def crossed(typingctx, a, step):
    """float32 lanes in the order n XOR `step`, a literal 1, 2 or 4."""
    if not isinstance(step, types.IntegerLiteral):
        return None
    distance = step.literal_value

    def generate(context, builder, sig, args):
        return builder.shuffle_vector(args[0], args[0], _vector(_INT, [n ^ distance for n in range(COUNT)]))

    return FLOATS(FLOATS, step), generate


@intrinsic
def lane(typingctx, a, n):
    """Lane `n` of float32 lanes."""

    def generate(context, builder, sig, args):
        return builder.extract_element(args[0], builder.trunc(args[1], _INT))

    return types.float32(FLOATS, types.int64), generate


@intrinsic
def bits(typingctx, mask):
    """The mask as a number: lane n is bit n; 255 where all are true."""

    def generate(context, builder, sig, args):
        return builder.zext(builder.bitcast(_truths(builder, args[0]), _BYTE), _INT)

    return types.int32(MASK), generate


def _address(context, builder, array_type, array, index, element):
    pointer = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(pointer, [index]), element.as_pointer())


@intrinsic
def load8(typingctx, array, start):
    """array[start : start + 8] of a flat float32 array. Nothing is checked."""

    def generate(context, builder, sig, args):
        return _load(builder, _address(context, builder, sig.args[0], *args, ir.VectorType(_FLOAT, COUNT)))  # pyright: ignore[reportCallIssue, reportOptionalCall]

    return FLOATS(array, types.int64), generate


@intrinsic
def store8(typingctx, array, start, value):
    """array[start : start + 8] = value, of a flat float32 array. Nothing is checked."""

    def generate(context, builder, sig, args):
        array, start, value = args
        place = _address(context, builder, sig.args[0], array, start, ir.VectorType(_FLOAT, COUNT))
        builder.store(value, place).align = 4
        return context.get_dummy_value()

    return types.void(array, types.int64, FLOATS), generate


@intrinsic
def gather(typingctx, array, index):
    """array[index] of a flat float32 array, index int32 lanes, none negative. Nothing is checked."""

    def generate(context, builder, sig, args):
        array, index = args
        value = ir.Constant(ir.VectorType(_FLOAT, COUNT), ir.Undefined)
        for n in range(COUNT):
            place = builder.zext(builder.extract_element(index, _INT(n)), _LONG)
            one = builder.load(_address(context, builder, sig.args[0], array, place, _FLOAT))
            value = builder.insert_element(value, one, _INT(n))
        return value

    return FLOATS(array, WHOLES), generate


@intrinsic
def gather_squares(typingctx, array, index, row):
    """Two by two neighbours in a picture: array[index + (0, 1, row, row + 1)], four float32 lanes.

    array flat float32, index int32 lanes, none negative; row int32. Nothing is checked.
    """

    def generate(context, builder, sig, args):
        array, index, row = args
        row = builder.sext(row, _LONG)
        pair = ir.VectorType(_FLOAT, 2)
        upper, lower = [], []
        for n in range(COUNT):
            one = builder.zext(builder.extract_element(index, _INT(n)), _LONG)
            for pairs, place in ((upper, one), (lower, builder.add(one, row))):
                pairs.append(_load(builder, _address(context, builder, sig.args[0], array, place, pair)))
        return context.make_tuple(builder, sig.return_type, (*_unzip(builder, upper), *_unzip(builder, lower)))

    return types.UniTuple(FLOATS, 4)(array, WHOLES, types.int32), generate


def _unzip(builder, pairs):
    """The first and the second of eight pairs."""
    # Lanes 0, 1, 4, 5 beside 2, 3, 6, 7: the order that processors of two times four lanes unzip in one step.
    order = _vector(_INT, range(4))
    fours = [builder.shuffle_vector(pairs[n], pairs[n + 1], order) for n in (0, 4, 2, 6)]
    order = _vector(_INT, range(8))
    low, high = (builder.shuffle_vector(a, b, order) for a, b in (fours[:2], fours[2:]))
    firsts = (0, 2, 8, 10, 4, 6, 12, 14)
    return [builder.shuffle_vector(low, high, _vector(_INT, [n + second for n in firsts])) for second in (0, 1)]


def _load(builder, address):
    value = builder.load(address)
    value.align = 4
    return value
