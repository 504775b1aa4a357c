"""Four numbers at a time: what Numba's own code does not make of rows of x, y, z, w.

The compiler turns loops over many particles into vector code where each coordinate is an array of its own. Particles
are kept in rows, for then all of one lies in one cache line; these functions turn four rows into four columns and back
in registers, or work on a whole row at once. They are plain LLVM vectors, for any processor.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_LANES = ir.VectorType(ir.FloatType(), 4)
_FAST = ("contract", "arcp", "nsz", "reassoc")


def _address(context, builder, array_type, array, index):
    pointer = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(pointer, [index]), _LANES.as_pointer())


def _load(builder, address):
    value = builder.load(address)
    value.align = 4
    return value


def _store(builder, value, address):
    builder.store(value, address).align = 4


def _shuffled(builder, a, b, *lanes):
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
    return builder.shuffle_vector(a, b, mask)


def _transposed(builder, a, b, c, d):
    low, high = _shuffled(builder, a, b, 0, 4, 1, 5), _shuffled(builder, a, b, 2, 6, 3, 7)
    low2, high2 = _shuffled(builder, c, d, 0, 4, 1, 5), _shuffled(builder, c, d, 2, 6, 3, 7)
    return (
        _shuffled(builder, low, low2, 0, 1, 4, 5),
        _shuffled(builder, low, low2, 2, 3, 6, 7),
        _shuffled(builder, high, high2, 0, 1, 4, 5),
        _shuffled(builder, high, high2, 2, 3, 6, 7),
    )


def _spread(builder, vector, lane):
    return _shuffled(builder, vector, vector, lane, lane, lane, lane)


@intrinsic
def gather_rows(typingctx, x, i, j, k, m, columns, n, stride):
    """Rows i, j, k, m of four numbers of flat x become columns: columns[c * stride + n + r] = x[4 * row_r + c].

    x, columns float32; everything else uint64. Nothing is checked.
    """
    signature = types.void(x, *[types.uint64] * 4, columns, types.uint64, types.uint64)

    def generate(context, builder, signature, args):
        x, *rows, columns, n, stride = args
        x_type, columns_type = signature.args[0], signature.args[5]
        four = ir.Constant(ir.IntType(64), 4)
        points = [_load(builder, _address(context, builder, x_type, x, builder.mul(row, four))) for row in rows]
        for value in _transposed(builder, *points):
            _store(builder, value, _address(context, builder, columns_type, columns, n))
            n = builder.add(n, stride)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def scatter_rows(typingctx, columns, n, stride, x, i, j, k, m):
    """The inverse of `gather_rows`: x[4 * row_r + c] = columns[c * stride + n + r]."""
    signature = types.void(columns, types.uint64, types.uint64, x, *[types.uint64] * 4)

    def generate(context, builder, signature, args):
        columns, n, stride, x, *rows = args
        columns_type, x_type = signature.args[0], signature.args[3]
        four = ir.Constant(ir.IntType(64), 4)
        read = []
        for _ in range(4):
            read.append(_load(builder, _address(context, builder, columns_type, columns, n)))
            n = builder.add(n, stride)
        for row, value in zip(rows, _transposed(builder, *read), strict=True):
            _store(builder, value, _address(context, builder, x_type, x, builder.mul(row, four)))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def relax_rows(typingctx, x, i, j, k, m, numbers, n):
    """One linear constraint c0 x_i + c1 x_j + c2 x_k + c3 x_m = 0 on rows x, y, z, w of flat x, w the inverse mass.

    With c3 = -c0 - c1 - c2 and s the sum, row r moves by -w_r c_r q s; c0, c1, c2, q are numbers[4 n : 4 n + 4].
    x, numbers float32; everything else uint64. Nothing is checked.
    """
    signature = types.void(x, *[types.uint64] * 4, numbers, types.uint64)

    def generate(context, builder, signature, args):
        x, *rows, numbers, n = args
        four = ir.Constant(ir.IntType(64), 4)
        places = [_address(context, builder, signature.args[0], x, builder.mul(row, four)) for row in rows]
        points = [_load(builder, place) for place in places]
        read = _load(builder, _address(context, builder, signature.args[5], numbers, builder.mul(n, four)))
        weights = [_spread(builder, read, lane) for lane in range(3)]
        # As the weights sum to zero, differences from the last row are as good, and more exact.
        total = None
        for weight, point in zip(weights, points[:3], strict=True):
            term = builder.fmul(weight, builder.fsub(point, points[3], flags=_FAST), flags=_FAST)
            total = term if total is None else builder.fadd(total, term, flags=_FAST)
        last = builder.fadd(builder.fadd(weights[0], weights[1], flags=_FAST), weights[2], flags=_FAST)
        weights.append(builder.fneg(last))
        # The inverse masses stay as they are.
        only_xyz = ir.Constant(_LANES, [-1.0, -1.0, -1.0, 0.0])
        step = builder.fmul(builder.fmul(total, _spread(builder, read, 3), flags=_FAST), only_xyz, flags=_FAST)
        for weight, point, place in zip(weights, points, places, strict=True):
            share = builder.fmul(weight, _spread(builder, point, 3), flags=_FAST)
            _store(builder, builder.fadd(point, builder.fmul(share, step, flags=_FAST), flags=_FAST), place)
        return context.get_dummy_value()

    return signature, generate
