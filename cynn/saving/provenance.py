"""Which package each plugin in a model came from: written into model files, looked at when one is read."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cynn import layers, registry
from cynn.components import package_names
from cynn.components.hyperparameters import Component
from cynn.errors import PluginError, warn

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["is_record", "record", "resolve"]

# The version of a class that no package provides; its module stands in the place of the package.
_UNPACKAGED = "unpackaged"


def record(network: Model) -> list[dict[str, str]]:
    """Kind, name, distribution and version of every plugin in a network.

    Examples
    --------
    >>> import cynn
    >>> class Cube(cynn.activations.Activation):
    ...     name = "cube"
    ...     def forward(self, z):
    ...         return z**3
    ...     def backward(self, z, a, grad):
    ...         return grad * 3 * z**2
    >>> [plugin] = record(cynn.Network.mlp([1, 1, 1], activation=Cube()))
    >>> plugin["name"], plugin["version"]
    ('cube', 'unpackaged')
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    for layer in layers.walk(network.layers):
        if not hasattr(layer, "activation"):
            continue
        plugin = _described(layer.activation)
        if plugin["distribution"] != package_names.OWN:  # ours have the version of CyNN itself
            found[plugin["kind"], plugin["name"]] = plugin
    return list(found.values())


def _described(component: Component) -> dict[str, str]:
    distribution, version = registry.activations.origin(type(component))
    return {
        "kind": component.kind,
        "name": component.name,
        "distribution": distribution,
        "version": version,
    }


def is_record(found: Any) -> bool:
    """Whether what a file says about a plugin is in the form of `record`, with names that are names.

    Examples
    --------
    >>> plugin = {"kind": "activation", "name": "cube", "distribution": "cynn-cube", "version": "1.2"}
    >>> is_record(plugin), is_record(plugin | {"distribution": "cube; reboot"})
    (True, False)
    """
    if not isinstance(found, dict):
        return False
    parts = [found.get(key) for key in ("kind", "name", "distribution", "version")]
    if not all(isinstance(part, str) for part in parts):
        return False
    return found["version"] == _UNPACKAGED or package_names.is_valid(found["distribution"])


def resolve(config: dict[str, Any], plugins: list[dict[str, str]]) -> dict[str, Any]:
    """A network's configuration in which each plugin is named so that the package it came from is asked.

    Raises
    ------
    PluginError
        A package that is needed is not installed, or offers that name no more.

    Warns
    -----
    CynnWarning
        It is installed in another version.
    """
    resolved = copy.deepcopy(config)
    recorded = {plugin["name"]: plugin for plugin in plugins if plugin["kind"] == "activation"}
    for activation in _activations(resolved.get("layers")):
        name = activation.get("name")
        if isinstance(name, str) and name in recorded:
            activation["name"] = _name_to_ask_for(registry.activations, recorded[name])
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


def _name_to_ask_for(of_kind: registry.Registry[Any], plugin: dict[str, str]) -> str:
    kind, name, distribution, version = (plugin[key] for key in ("kind", "name", "distribution", "version"))
    if version == _UNPACKAGED:
        if name not in of_kind.names():
            raise PluginError(
                f"The model needs {kind} {name!r}, a class of the module {distribution!r} that no package "
                "provided: "
                f"import it and call cynn.registry.{of_kind.group.removeprefix('cynn.')}.register(...) "
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
                    stacklevel=6,
                )
            return f"{offering}:{name}"
    raise PluginError(
        f"The model needs {kind} {name!r} from the package {of_version!r}: pip install "
        f"{package_names.requirement(wanted)}"
    )
