"""The rest of NumPy, by name: what has no gradient by nature, and what is refused, with a sentence.

Some of these never ask a Tensor, since NumPy does not let them be overridden; they stand here so that every public
function is found in one of the tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import constant, refuse

# --- of indices, shapes, bits, dtypes and names -----------------------------------------------------------------------

constant(
    np.diag_indices_from, np.tril_indices_from, np.triu_indices_from, np.ix_, np.ravel_multi_index, np.unravel_index,
    np.packbits, np.unpackbits, np.einsum_path,
)  # fmt: skip

# Of no array at all.
constant(
    np.indices, np.diag_indices, np.tril_indices, np.triu_indices, np.mask_indices, np.broadcast_shapes,
    np.bartlett, np.blackman, np.hamming, np.hanning, np.kaiser, np.isscalar, np.iterable, np.isfortran, np.isdtype,
    np.issubdtype, np.promote_types, np.mintypecode, np.typename, np.base_repr, np.binary_repr,
    np.format_float_positional, np.format_float_scientific, np.datetime_data, np.info, np.get_include, np.show_config,
    np.show_runtime, np.get_printoptions, np.set_printoptions, np.printoptions,
    np.geterr, np.seterr, np.geterrcall, np.seterrcall, np.getbufsize, np.setbufsize, np.frompyfunc, np.fromregex,
    np.load, np.fft.fftfreq, np.fft.rfftfreq,
)  # fmt: skip


# --- refused ----------------------------------------------------------------------------------------------------------


def _refuse(why: str, *fns: Any) -> None:
    for fn in fns:
        refuse(fn, why)


_refuse("files hold values without gradients: write t.data", np.save, np.savez, np.savez_compressed, np.savetxt)
for _old, _new in {"in1d": "isin", "trapz": "trapezoid"}.items():
    if _old in vars(np):
        _refuse(f"it is deprecated: write np.{_new}", vars(np)[_old])
_refuse("a Tensor holds no dates", np.is_busday, np.busday_count, np.busday_offset, np.datetime_as_string)
_refuse("a matrix or a subclass of ndarray is not a Tensor: use the Tensor itself", np.asmatrix, np.bmat)
_refuse("it would lose the gradient: check t.data, and go on with t", np.asarray_chkfinite)
_refuse("memory shared by DLPack has no gradient: write np.from_dlpack(t.detach())", np.from_dlpack)
_refuse("it shows memory, which a value has not: use sliding_window_view or indices", np.lib.stride_tricks.as_strided)
_refuse("an iterator over plain arrays loses gradients: iterate over t, or over t.data", np.nested_iters)
_refuse("a Tensor holds no text", "numpy.strings", "numpy.char")
_refuse("write np.polyval, or sums of products of powers", "numpy.polynomial.polynomial")
_refuse("records are not numbers: take the fields first, t = ag.Tensor(a['field'])", "numpy.lib.recfunctions")
