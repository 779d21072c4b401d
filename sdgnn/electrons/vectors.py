"""Vectors of :data:`LANES` numbers as a numba type, so that compiled loops say themselves which instructions they want.

Left to the compiler, loops become vector code of half the machine's width, and only where it can see that arrays do not
overlap. The compiler still splits a vector into as many registers as the machine needs. Tuples of vectors are held in
registers; functions of them work for any length.
"""

from __future__ import annotations

import operator

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

LANES = 16
"""Numbers in a vector: a cache line in float32, two in float64."""

FAST = ("fast",)
"""Sums may be reordered and a product joined with the sum it goes into."""

separate = numba.njit(fastmath=True, error_model="numpy", no_cfunc_wrapper=True, no_cpython_wrapper=True)  # type: ignore[call-overload]
"""Decorator of functions that compiled loops call."""

inlined = numba.njit(fastmath=True, error_model="numpy", forceinline=True)
"""Decorator of functions that become part of the loop that calls them."""


class Vector(types.Type):
    """The numba type of a vector of ``dtype``."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(name=f"Vector({dtype}, {LANES})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """Vectors are what LLVM calls vectors."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(dmm.lookup(fe_type.dtype).get_value_type(), LANES))


class _Alike(AbstractTemplate):
    """Operations on vectors of one type give that type."""

    def generic(self, args, kws):
        if isinstance(args[0], Vector) and all(arg == args[0] for arg in args):
            return signature(args[0], *args)
        return None


def _element_by_element(operation, instruction, arguments):
    """Teach numba ``operation`` on vectors."""
    infer_global(operation)(type(f"_{instruction}", (_Alike,), {}))

    @lower_builtin(operation, *[Vector] * arguments)
    def lower(context, builder, sig, args):
        return getattr(builder, instruction)(*args, flags=FAST)


for _name, _instruction in {"add": "fadd", "sub": "fsub", "mul": "fmul", "truediv": "fdiv"}.items():
    _element_by_element(getattr(operator, _name), _instruction, 2)
_element_by_element(operator.neg, "fneg", 1)


class _Code:
    """LLVM instructions that several intrinsics share."""

    def __init__(self, context, builder, dtype):
        self.context, self.builder, self.dtype = context, builder, dtype
        self.vector = context.get_value_type(Vector(dtype))

    def at(self, array_type, array, at):
        """Address of a number."""
        data = self.context.make_array(array_type)(self.context, self.builder, array).data
        return self.builder.gep(data, [at])

    def load(self, address):
        """A vector from an address."""
        loaded = self.builder.load(self.builder.bitcast(address, self.vector.as_pointer()))
        loaded.align = self.dtype.bitwidth // 8
        return loaded

    def store(self, value, address):
        """A vector to an address."""
        stored = self.builder.store(value, self.builder.bitcast(address, self.vector.as_pointer()))
        stored.align = self.dtype.bitwidth // 8

    def splat(self, number):
        """A number in every lane."""
        integer = ir.IntType(32)
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), number, integer(0))
        return self.builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(integer, LANES), None))

    def add(self, total, left, right):
        """total + left * right."""
        return self.builder.fadd(total, self.builder.fmul(left, right, flags=FAST), flags=FAST)

    def rows(self, array_type, array, at, apart, count):
        """Addresses of as many numbers, ``apart`` from each other."""
        places = [self.builder.add(at, self.builder.mul(apart, at.type(row))) for row in range(count)]
        return [self.at(array_type, array, place) for place in places]

    def unpack(self, values):
        """Elements of a tuple."""
        return cgutils.unpack_tuple(self.builder, values)

    def pack(self, kind, values):
        """A tuple of elements."""
        return self.context.make_tuple(self.builder, kind, values)


@intrinsic
def get(typing, x, at):
    """x[at] to x[at + LANES - 1]; fastest where that is a whole cache line."""

    def generate(context, builder, sig, args):
        code = _Code(context, builder, x.dtype)
        return code.load(code.at(sig.args[0], *args))

    return Vector(x.dtype)(x, types.intp), generate


@intrinsic
def put(typing, x, at, value):
    """x[at] to x[at + LANES - 1] become the numbers of ``value``."""

    def generate(context, builder, sig, args):
        code = _Code(context, builder, x.dtype)
        code.store(args[2], code.at(sig.args[0], *args[:2]))
        return context.get_dummy_value()

    return types.void(x, types.intp, Vector(x.dtype)), generate


@intrinsic
def get_rows(typing, x, at, apart, like):
    """A tuple of as many vectors of x as ``like`` has elements, ``apart`` numbers from each other."""

    def generate(context, builder, sig, args):
        code = _Code(context, builder, x.dtype)
        addresses = code.rows(sig.args[0], *args[:3], len(like))  # type: ignore[call-arg]
        return code.pack(sig.return_type, [code.load(address) for address in addresses])

    return types.UniTuple(Vector(x.dtype), len(like))(x, types.intp, types.intp, like), generate


@intrinsic
def put_rows(typing, x, at, apart, values):
    """The vectors of a tuple are written to x, ``apart`` numbers from each other."""

    def generate(context, builder, sig, args):
        code = _Code(context, builder, x.dtype)
        addresses = code.rows(sig.args[0], *args[:3], len(values))  # type: ignore[call-arg]
        for value, address in zip(code.unpack(args[3]), addresses, strict=True):
            code.store(value, address)
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, values), generate


@intrinsic
def splat(typing, value):
    """A vector with ``value`` in every lane."""

    def generate(context, builder, sig, args):
        return _Code(context, builder, value).splat(args[0])

    return Vector(value)(value), generate


@intrinsic
def add_multiples(typing, sums, factors, value):
    """The tuple sums_k + factors_k value."""

    def generate(context, builder, sig, args):
        code = _Code(context, builder, value.dtype)
        pairs = zip(code.unpack(args[0]), code.unpack(args[1]), strict=True)
        return code.pack(sums, [code.add(total, factor, args[2]) for total, factor in pairs])

    return sums(sums, factors, value), generate


@intrinsic
def total(typing, value):
    """Sum over all lanes."""

    def generate(context, builder, sig, args):
        vector, lanes = args[0], LANES
        while lanes > 1:
            lanes //= 2
            halves = [
                ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(start, start + lanes)))
                for start in (0, lanes)
            ]
            vector = builder.fadd(*(builder.shuffle_vector(vector, vector, half) for half in halves), flags=FAST)
        return builder.extract_element(vector, ir.IntType(32)(0))

    return value.dtype(value), generate
