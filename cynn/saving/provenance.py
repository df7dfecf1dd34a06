"""Records the package of each plugin in model files and checkpoints, and checks it when one is read."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cynn import registry
from cynn.components import package_names
from cynn.components.configurable import Configurable, parts_within
from cynn.errors import PluginError, warn

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["check", "is_record", "of_parts", "record", "require_known", "resolve"]


def record(network: Model) -> list[dict[str, str]]:
    """Kind, name, distribution and version of every plugin in a network.

    Raises
    ------
    PluginError
        A class of the network is not registered, so that the saved network could not be loaded.

    Examples
    --------
    >>> import cynn
    >>> @cynn.registry.activations.register
    ... class Cube(cynn.activations.Activation):
    ...     name = "cube"
    ...     def forward(self, z):
    ...         return z**3
    ...     def backward(self, z, a, grad):
    ...         return grad * 3 * z**2
    >>> [plugin] = record(cynn.Network.mlp([1, 1, 1], activation=Cube()))
    >>> plugin["name"], plugin["version"]
    ('cube', 'unpackaged')
    """
    parts = [*network.layers, *([network.regularizer] if network.regularizer else [])]
    require_known(parts)
    return of_parts(parts)


def require_known(parts: Any) -> None:
    """Raise a PluginError if a part, or one nested in it, is not registered, so that it could not be loaded.

    Parameters
    ----------
    parts : part or list of parts
        Other values, such as a number for a learning rate, are ignored.
    """
    for part in parts_within(parts):
        part._registry.require_known(type(part))


def of_parts(parts: Iterable[Configurable]) -> list[dict[str, str]]:
    """Kind, name, distribution and version of every plugin among these parts and the parts nested in them."""
    found = []
    for part in parts_within(list(parts)):
        of_kind = part._registry
        distribution, version = of_kind.origin(type(part))
        name = of_kind.name_of(part).rpartition(":")[2]
        plugin = {"kind": of_kind.kind, "name": name, "distribution": distribution, "version": version}
        # ours have the version of CyNN itself
        if distribution != package_names.OWN and plugin not in found:
            found.append(plugin)
    return found


def is_record(found: Any) -> bool:
    """Whether the entry of a plugin in a file has the form of `record`, with valid names.

    Examples
    --------
    >>> plugin = {
    ...     "kind": "activation",
    ...     "name": "cube",
    ...     "distribution": "cynn-cube",
    ...     "version": "1.2",
    ... }
    >>> is_record(plugin)
    True
    >>> is_record(plugin | {"distribution": "cube; reboot"})
    False
    """
    if not isinstance(found, dict):
        return False
    parts = [found.get(key) for key in ("kind", "name", "distribution", "version")]
    if not all(isinstance(part, str) for part in parts):
        return False
    if not registry.is_kind(found["kind"]):
        return False
    return found["version"] == registry.UNPACKAGED or package_names.is_valid(found["distribution"])


def check(plugins: Iterable[dict[str, str]], *, stacklevel: int) -> None:
    """Check that each plugin of a record is installed in the same version.

    Parameters
    ----------
    plugins : iterable of dict
        What `of_parts` returned.
    stacklevel : int
        The frame that a warning points to; 1 is the caller.

    Raises
    ------
    PluginError
        A package is not installed, or no longer provides that name.

    Warns
    -----
    CynnWarning
        A package is installed in another version.
    """
    for plugin in plugins:
        _name_to_ask_for(plugin, stacklevel + 2)


def resolve(config: dict[str, Any], plugins: list[dict[str, str]]) -> dict[str, Any]:
    """Add to the configuration of a network the package of each plugin, so that it is looked up in that package.

    Raises
    ------
    PluginError
        A package is not installed, or no longer provides that name.

    Warns
    -----
    CynnWarning
        A package is installed in another version.
    """
    names = {}
    for plugin in plugins:
        names[plugin["kind"], plugin["name"]] = _name_to_ask_for(plugin, 7)
    resolved = copy.deepcopy(config)
    activations = [each for each in _activations(resolved.get("layers")) if isinstance(each.get("name"), str)]
    packaged = {each["name"].rpartition(":")[2] for each in activations if ":" in each["name"]}
    # in older files, where all plugins are activations, the configuration does not name their packages
    for activation in activations:
        if activation["name"] not in packaged:
            activation["name"] = names.get(("activation", activation["name"]), activation["name"])
    return resolved


def _activations(described: Any) -> Iterator[dict[str, Any]]:
    """The descriptions of activations, in those of layers and of layers within them."""
    if isinstance(described, list):
        for part in described:
            yield from _activations(part)
    elif isinstance(described, dict):
        activation = described.get("activation")
        if isinstance(activation, dict):
            yield activation
        for key in ("layers", "branches"):
            yield from _activations(described.get(key))


def _name_to_ask_for(plugin: dict[str, str], stacklevel: int) -> str:
    kind, name, distribution, version = (plugin[key] for key in ("kind", "name", "distribution", "version"))
    of_kind = registry.of_kind(kind)
    if version == registry.UNPACKAGED:
        if not of_kind.has(name):
            raise PluginError(
                f"The model needs {kind} {name!r}, a class of the module {distribution!r} that no package "
                "provided: "
                f"import it and call {of_kind.place}.register(...) "
                "before loading."
            )
        return name
    wanted = package_names.canonical(distribution)
    of_version = f"{wanted} {version}"
    for offering, installed in of_kind.offers(name).items():
        if package_names.canonical(offering) == wanted:
            if installed != version:
                warn(
                    f"The model was saved with {kind} {name!r} of {of_version!r}; {installed} is installed. "
                    f"Its predictions may differ: pip install {package_names.requirement(wanted, version)}",
                    stacklevel=stacklevel,
                )
            return f"{offering}:{name}"
    raise PluginError(
        f"The model needs {kind} {name!r} from the package {of_version!r}: pip install "
        f"{package_names.requirement(wanted)}"
    )
