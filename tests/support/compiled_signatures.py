"""The signatures of compiled functions, as Cython writes them into docstrings, and of their stubs."""

import ast

#: The compiled modules that the reference lists.
PUBLIC = {
    "engine/engine", "engine/trainer", "engine/row_matrix", "engine/abi_checks", "engine/kernel_object",
    "engine/activation_kernel", "engine/loss_kernel", "engine/optimizer_kernel", "kernels/blas", "kernels/random",
    "kernels/cpu",
}  # fmt: skip


def parameters_of_stub(function):
    """(name, kind, whether there is a default) of each parameter."""
    a = function.args
    positional = a.posonlyargs + a.args
    defaults = [None] * (len(positional) - len(a.defaults)) + a.defaults
    found = [(p.arg, "positional", d is not None) for p, d in zip(positional, defaults, strict=True)]
    found += [(p.arg, "keyword", d is not None) for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    return found


def signature_of_compiled(thing):
    """From the signature that Cython puts in the first line of a docstring."""
    line = thing.__doc__.splitlines()[0]
    tree = ast.parse(f"def {_without_types(line)}: ...").body[0]
    return parameters_of_stub(tree)


def _without_types(line):
    """f(a: const_double[::1], b=1) as f(a, b=1): names of C types are no Python."""
    name, _, rest = line.partition("(")
    rest = rest.rpartition(" -> ")[0] or rest
    parts, depth, part = [], 0, ""
    for character in rest.rpartition(")")[0]:
        depth += character in "[("
        depth -= character in "])"
        if character == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += character
    parts.append(part)
    plain = []
    for each in parts:
        left, equals, default = each.partition("=")
        plain.append(left.partition(":")[0].strip() + (equals + default if equals else ""))
    return f"{name}({', '.join(plain)})"
