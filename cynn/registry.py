"""Registries, which find parts by name: built-in parts, registered classes and plugins.

Each kind of part has a registry: `cynn.registry.activations`, `losses`, `optimizers`, `layers`, `initializers`,
`regularizers`, `constraints`, `schedules`, `metrics`, `callbacks` and `solvers`. This module depends on no part. The
built-in parts of a kind are declared by the module of the same name in `cynn`, which also has the base class.

A plugin is a class that an installed package names in an entry point of the group of its kind, such as
`cynn.activations`. Entry points are read when a name that is not built in is looked up for the first time. Only the
requested plugin is imported.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from cynn.components import package_names
from cynn.errors import CynnError, InvalidParameterError, PluginError, shown, unknown_name
from cynn.version import __version__

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from cynn.components.description import Description

__all__ = [
    "Description",
    "Registry",
    "activations",
    "callbacks",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "of_kind",
    "optimizers",
    "regularizers",
    "schedules",
    "solvers",
]

T = TypeVar("T")

activations: Registry
callbacks: Registry
constraints: Registry
initializers: Registry
layers: Registry
losses: Registry
metrics: Registry
optimizers: Registry
regularizers: Registry
schedules: Registry
solvers: Registry

# The registries annotated above. Each is made by the module of the same name in `cynn` when it is imported.
_NAMES = frozenset(__annotations__)

#: The registries of the kinds with hyperparameters: activations, losses and optimizers.
OF_KIND: dict[str, Registry] = {}

# The parameter `optimizer` of `fit` takes both kinds, so a name may be used by only one of them.
_SAME_NAMES = {"optimizer": "solver", "solver": "optimizer"}

#: Stands for the version of a class that no package provides. Its module stands for the package.
UNPACKAGED = "unpackaged"


class Registry:
    """The registry of one kind of parts.

    Parameters
    ----------
    base : type
        The base class of the kind.
    builtins : iterable of type
        The classes that are part of CyNN.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("leaky_relu", negative_slope=0.1)
    LeakyReLU(negative_slope=0.1)
    >>> "sigmoid" in cynn.registry.activations.names()
    True
    """

    def __init__(self, base: Any, builtins: Iterable[Any]) -> None:
        self._base = base
        self.kind: str = self._base.kind
        self.group = f"cynn.{_plural(self.kind)}"
        self.place = f"cynn.registry.{_plural(self.kind)}"
        names = ((name, cls) for cls in builtins for name in (cls.name, *cls.aliases))
        self._builtins: dict[str, type[Any]] = {name: cls for name, cls in names if name}
        self._registered: dict[str, type[Any]] = {}
        self._entry_points: dict[str, list[EntryPoint]] | None = None
        self._loaded: dict[type[Any], EntryPoint] = {}

    @property
    def builtins(self) -> Mapping[str, type[Any]]:
        """The classes that are part of CyNN, by name and alias."""
        return MappingProxyType(self._builtins)

    @property
    def has_kernels(self) -> bool:
        """Whether its parts compute with kernels, or with Python methods in their place."""
        return hasattr(self._base, "is_compiled")

    def get(self, spec: Any, **hyperparameters: Any) -> Any:
        """Get an instance from a name, a configuration, a class or an instance.

        Parameters
        ----------
        spec : str, dict, class or instance
            A name (`"relu"`, or `"package:name"` if two packages provide the name), a configuration that `get_config`
            returned, a class of this kind, or an instance, which is returned as it is.
        **hyperparameters
            Values of parameters. Not allowed with an instance or a configuration.

        Returns
        -------
        object
            An instance of the registry's kind.

        Raises
        ------
        UnknownNameError
            The name is unknown. The message lists similar names.
        PluginError
            The plugin cannot be imported or created, or two packages provide the name.
        """
        key = self._base.config_key
        if isinstance(spec, self._base) and not hyperparameters:
            return spec
        if isinstance(spec, Mapping) and isinstance(spec.get(key), str) and not hyperparameters:
            return self._made(self.find(self._in_full(spec[key])), {**spec, key: _bare(spec[key])})
        if isinstance(spec, str):
            return self._made(self.find(spec), {key: _bare(spec), **hyperparameters})
        if isinstance(spec, type) and issubclass(spec, self._base):
            return self._made(spec, hyperparameters)
        raise InvalidParameterError(
            f"{self._article} {self.kind} must be a name, an instance of {self._base.__name__}, such a class, or a "
            f"dict with a {key!r}. Got {shown(spec)} instead."
        )

    @property
    def _article(self) -> str:
        """"The" for the kinds of which there is one: a layer has one activation, `fit` one loss and one optimizer."""
        return "The" if self.kind in OF_KIND else "An" if self.kind[0] in "aeiou" else "A"

    def _made(self, cls: type[Any], config: Mapping[str, Any]) -> Any:
        try:
            return cls.from_config(config)
        except CynnError:
            raise
        except Exception as error:
            distribution, version = self.origin(cls)
            raise PluginError(
                f"The {self.kind} {cls.name!r} of {distribution} {version} could not be made: "
                f"{type(error).__name__}: {error}"
            ) from error

    def find(self, name: str) -> type[Any]:
        """Find the class with a name.

        Parameters
        ----------
        name : str
            Such as `"relu"`, or `"package:name"` if two packages provide the name.

        Returns
        -------
        type
            A subclass of the registry's base.
        """
        package, _, bare = name.rpartition(":")
        if bare in self._builtins and (not package or package_names.is_ours(package)):
            return self._builtins[bare]
        if name in self._registered:
            return self._registered[name]
        return self._load(self._entry_point(name))

    def names(self) -> list[str]:
        """All names, without importing plugins: "package:name" if the name is taken or several packages provide it."""
        # VarianceScaling has no name of its own: each of its aliases is listed
        found = {cls.name or name for known in (self._builtins, self._registered) for name, cls in known.items()}
        for name, entry_points in self._scan().items():
            if len(entry_points) == 1 and not self._is_taken(name):
                found.add(name)
            else:
                found.update(f"{_distribution(entry_point)[0]}:{name}" for entry_point in entry_points)
        return sorted(found)

    def hidden(self) -> dict[str, list[str]]:
        """The names of plugins that are hidden because the name is taken, without importing plugins.

        Returns
        -------
        dict of str to list of str
            The packages for each name. The name itself means a built-in or registered class; `"package:name"` means
            the class of the package.
        """
        return {
            name: [_distribution(entry_point)[0] for entry_point in entry_points]
            for name, entry_points in sorted(self._scan().items())
            if self._is_taken(name)
        }

    def _is_taken(self, name: str) -> bool:
        return name in self._builtins or name in self._registered

    def describe(self, name: str) -> Description:
        """The kind, distribution and version of a part, and whether it is compiled. This imports a plugin.

        Parameters
        ----------
        name : str
            Such as `"relu"`, or `"package:name"` if two packages provide the name.

        Returns
        -------
        Description
            The origin of the part.
        """
        from cynn.components.description import Description

        cls = self.find(name)
        distribution, version = self.origin(cls)
        return Description(self.kind, name, distribution, version, compiled=self.has_kernels and cls.is_compiled())

    def origin(self, cls: type[Any]) -> tuple[str, str]:
        """The distribution that provides a class, and its version.

        Parameters
        ----------
        cls : type
            A class of this kind.

        Returns
        -------
        tuple (distribution, version)
            For a class without a distribution, its module and `"unpackaged"`.
        """
        if cls in self._builtins.values():
            return package_names.OWN, __version__
        entry_points = self._entry_points_of(cls)
        return _distribution(entry_points[0]) if entry_points else (cls.__module__, UNPACKAGED)

    def knows(self, cls: type[Any]) -> bool:
        """Whether a class can be found by name: it is built in, registered, or has an entry point.

        Parameters
        ----------
        cls : type
            A class of this kind.

        Returns
        -------
        bool
            False for a class that only shares its name with another one.
        """
        return cls in self._registered.values() or self.origin(cls)[1] != UNPACKAGED

    def name_of(self, part: Any) -> str:
        """The name by which the class of a part is found: `"package:name"` if another package provides it.

        Parameters
        ----------
        part : object
            A part of this kind.

        Returns
        -------
        str
            Only the name if the part is built in, registered, or unknown to the registry.
        """
        if type(part) in self._builtins.values() or type(part) in self._registered.values():
            return part.name  # type: ignore[no-any-return]  # a str, as `_check` has seen
        entry_points = self._entry_points_of(type(part))
        names = [entry_point.name for entry_point in entry_points]
        if not names:
            return part.name  # type: ignore[no-any-return]  # likewise
        name: str = part.name if part.name in names else names[0]
        return name if _is_ours(entry_points[0]) else f"{_package(entry_points[0])}:{name}"

    def _in_full(self, name: str) -> str:
        """Complete a name from a configuration: without a package, it means ours if we provide it."""
        if ":" in name or self._is_taken(name):
            return name
        return f"{package_names.OWN}:{name}" if package_names.OWN in self.offers(name) else name

    def require_known(self, cls: type[Any]) -> None:
        """Raise a PluginError unless a class can be found by name.

        Parameters
        ----------
        cls : type
            A class of this kind.
        """
        if not self.knows(cls):
            raise PluginError(
                f"What is saved must be found again by its name. Got the {self.kind} {cls.name!r}, whose class "
                f"{cls.__module__}.{cls.__qualname__} is neither registered nor in a package with an entry point of "
                f"the group {self.group}: call {self.place}.register({cls.__name__}) before saving, and before loading."
            )

    def overrides(self, cls: type[Any], method: str) -> bool:
        """Whether a class overrides a method of the base class.

        Parameters
        ----------
        cls : type
            A class of this kind.
        method : str
            The name of the method.

        Returns
        -------
        bool
            False if it inherits the method of the base class.
        """
        return getattr(cls, method) is not getattr(self._base, method)

    def has(self, name: str) -> bool:
        """Whether a name is known, without importing plugins.

        Parameters
        ----------
        name : str
            A name without a package.

        Returns
        -------
        bool
            Also True for a broken plugin.
        """
        return self._is_taken(name) or name in self._scan()

    def offers(self, name: str) -> dict[str, str]:
        """The distributions that provide a name, with their versions, without importing plugins.

        Parameters
        ----------
        name : str
            A name without a package.

        Returns
        -------
        dict of str to str
            Empty for a class that this process has registered.
        """
        built_in = {package_names.OWN: __version__} if name in self._builtins else {}
        return built_in | dict(_distribution(entry_point) for entry_point in self._scan().get(name, []))

    def requirements(self) -> dict[str, list[str]]:
        """The requirements of each distribution with plugins of this kind, without importing plugins.

        Returns
        -------
        dict of str to list of str
            The requirements by the name of the distribution, as in its metadata, such as `"numpy>=2"`.
        """
        offered = [entry_point for entry_points in self._scan().values() for entry_point in entry_points]
        return {_name(each): list(each.dist.requires or []) for each in offered if each.dist}

    def provider(self, name: str) -> str:
        """The distribution that provides a name, without importing plugins; empty for a registered class.

        Parameters
        ----------
        name : str
            A name, with or without a package.

        Returns
        -------
        str
            `"cynn-nn"` for built-in parts.
        """
        if name in self._builtins:
            return package_names.OWN
        return "" if name in self._registered else _distribution(self._entry_point(name))[0]

    def register(self, cls: type[T]) -> type[T]:
        """Register a class under its name and aliases in this process. Can be used as a decorator.

        Parameters
        ----------
        cls : type
            A subclass of the registry's base, with a name.

        Returns
        -------
        type
            The same class.
        """
        known: Any = self._check(cls, repr(cls))
        names = (known.name, *known.aliases)
        for name in names:
            taken = self._builtins.get(name) or self._registered.get(name) or self._taken_by_twin(name) or cls
            if taken is not cls:
                raise PluginError(f"The name of {cls!r} must be new. {name!r} is taken by {taken!r}.")
        if cls not in self._builtins.values():
            self._registered.update(dict.fromkeys(names, cls))
        return cls

    def _taken_by_twin(self, name: str) -> type[Any] | None:
        """The class with that name in the kind that shares its names with this one."""
        if self.kind not in _SAME_NAMES:
            return None
        twin = of_kind(_SAME_NAMES[self.kind])
        return twin._builtins.get(name) or twin._registered.get(name)

    def _scan(self) -> dict[str, list[EntryPoint]]:
        if self._entry_points is None:
            from importlib.metadata import entry_points  # slow to import, so only for plugins

            found: dict[str, dict[str, EntryPoint]] = {}
            for entry_point in _without_former(list(entry_points(group=self.group))):
                # an editable installation may be on the path twice: the first one counts
                same_name = found.setdefault(entry_point.name, {})
                same_name.setdefault(_package(entry_point), entry_point)
            self._entry_points = {
                name: [by_package[package] for package in sorted(by_package)]
                for name, by_package in found.items()
            }
        return self._entry_points

    def _entry_points_of(self, cls: type[Any]) -> list[EntryPoint]:
        """The entry points for a class, all from the same package."""
        found = [self._loaded[cls]] if cls in self._loaded else []
        found += [each for offered in self._scan().values() for each in offered if _leads_to(each, cls)]
        return [each for each in found if _package(each) == _package(found[0])]

    def _entry_point(self, name: str) -> EntryPoint:
        package, _, bare = name.rpartition(":")
        candidates = self._scan().get(bare, [])
        if package:
            candidates = [e for e in candidates if _package(e) == package_names.canonical(package)]
        if not candidates:
            raise unknown_name(self.kind, name, self.names())
        if len(candidates) > 1:
            packages = [_distribution(entry_point)[0] for entry_point in candidates]
            choices = " or ".join(f"'{package}:{name}'" for package in packages)
            raise PluginError(
                f"The {self.kind} {name!r} is offered by {' and '.join(packages)}. Choose one: {choices}."
            )
        return candidates[0]

    def _load(self, entry_point: EntryPoint) -> type[Any]:
        distribution, version = _distribution(entry_point)
        source = f"The {self.kind} {entry_point.name!r} of {distribution} {version} ({entry_point.value})"
        try:
            cls = entry_point.load()
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{source} could not be imported: {type(error).__name__}: {error}"
            ) from error
        self._check(cls, source)
        if entry_point.name not in (cls.name, *cls.aliases):
            # a saved network stores the name of the class, which must lead to the class again
            raise PluginError(
                f"{source} must have the name of its entry point, or that among its aliases. "
                f"Got the name {cls.name!r} instead."
            )
        self._loaded[cls] = entry_point
        return cls  # type: ignore[no-any-return]  # checked above

    def _check(self, cls: Any, source: str) -> Any:
        if not (isinstance(cls, type) and issubclass(cls, self._base)):
            raise PluginError(f"{source} must be a subclass of {self._base.__name__}. Got {shown(cls)} instead.")
        name = getattr(cls, "name", None)
        if not isinstance(name, str) or not name:
            raise PluginError(f"{source} must have a name. Got an empty one instead.")
        return cls


class _OfKind:
    """Gives the classes of a kind their registry as an attribute, since they may not import this module."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __get__(self, instance: object, owner: type) -> Registry:
        return of_kind(self._kind)


def of_kind(kind: str) -> Registry:
    """Get the registry of a kind.

    Parameters
    ----------
    kind : str
        Such as `"activation"`.

    Returns
    -------
    Registry
        Such as `cynn.registry.activations`.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.of_kind("loss") is cynn.registry.losses
    True
    """
    found: Registry = getattr(sys.modules[__name__], _plural(kind))
    return found


def is_kind(kind: str) -> bool:
    """Whether there is a registry of a kind.

    Parameters
    ----------
    kind : str
        Such as `"activation"`.

    Returns
    -------
    bool
        Also True if its module has not been imported yet.
    """
    return _plural(kind) in _NAMES


def every() -> list[Registry]:
    """The registries of all kinds, sorted by name."""
    return [getattr(sys.modules[__name__], name) for name in sorted(_NAMES)]


def declare(base: type[Any], module: Mapping[str, Any]) -> None:
    """Make the registry of a kind. The public classes of that kind in a module are its built-in parts.

    Parameters
    ----------
    base : type
        The base class of the kind.
    module : dict
        The `globals()` of the module. Its `__all__` lists the public classes.
    """
    public = (module.get(name) for name in module["__all__"])
    builtins = [each for each in public if isinstance(each, type) and getattr(each, "kind", None) == base.kind]
    found: Registry = Registry(base, [cls for cls in builtins if cls is not base])
    globals()[_plural(base.kind)] = found
    for cls in (base, *builtins):  # Input is in the registry of layers, but has another base class
        cls._registry = _OfKind(base.kind)  # type: ignore[attr-defined]  # of whatever base the kind has
    if hasattr(base, "hyperparameters"):
        OF_KIND[found.kind] = found


def __getattr__(name: str) -> Any:
    """Import the module that declares a registry, or the class of what `describe` returns."""
    if name == "Description":
        return importlib.import_module("cynn.components.description").Description
    if name in _NAMES:
        importlib.import_module(f"cynn.{name}")
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _bare(name: str) -> str:
    return name.rpartition(":")[2]


def _plural(kind: str) -> str:
    return kind + ("es" if kind.endswith("s") else "s")


def _distribution(entry_point: EntryPoint) -> tuple[str, str]:
    """Name and version of the package of an entry point."""
    if _is_ours(entry_point):
        return package_names.OWN, __version__  # a leftover installation may have any version
    return _name(entry_point), (entry_point.dist and entry_point.dist.version) or "unknown"


def _name(entry_point: EntryPoint) -> str:
    # damaged metadata has no name
    return (entry_point.dist and entry_point.dist.name) or "unknown"


def _package(entry_point: EntryPoint) -> str:
    return package_names.canonical(_distribution(entry_point)[0])


def _leads_to(entry_point: EntryPoint, cls: type[Any]) -> bool:
    """Whether an entry point names a class, without importing anything."""
    if (entry_point.module, entry_point.attr) == (cls.__module__, cls.__qualname__):
        return True
    # the entry point may name a package that imports the class from one of its modules
    found: Any = sys.modules.get(entry_point.module)
    for part in (entry_point.attr or "").split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found is cls


def _is_ours(entry_point: EntryPoint) -> bool:
    # the name is not enough, since another project has our former name
    return package_names.is_ours(_name(entry_point)) and entry_point.value.startswith("cynn_plugins.")


def _is_former(entry_point: EntryPoint) -> bool:
    return _is_ours(entry_point) and _name(entry_point) == package_names.FORMER


def _without_former(entry_points: list[EntryPoint]) -> list[EntryPoint]:
    """Ignore an installation of ours under its former name if there is one under the present name."""
    if any(_is_ours(entry_point) and not _is_former(entry_point) for entry_point in entry_points):
        return [entry_point for entry_point in entry_points if not _is_former(entry_point)]
    return entry_points
