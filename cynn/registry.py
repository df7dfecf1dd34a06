"""Where activations, losses and optimizers are found by name: built in, registered, or plugged in.

A plugin is a class that an installed package names in an entry point of the group
`cynn.activations`, `cynn.losses` or `cynn.optimizers`. Entry points are read on the first name that
is not built in; only the plugin that is asked for is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from cynn import activations as _activations
from cynn import losses as _losses
from cynn import optimizers as _optimizers
from cynn.components import package_names
from cynn.components.hyperparameters import Component
from cynn.errors import CynnError, InvalidParameterError, PluginError, shown, unknown_name
from cynn.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

__all__ = ["Description", "Registry", "activations", "losses", "optimizers"]

C = TypeVar("C", bound=Component)


class Description(NamedTuple):
    """Where a component comes from.

    Attributes
    ----------
    kind, name : str
        `"activation"`, `"loss"` or `"optimizer"`, and the name that was asked for.
    distribution, version : str
        The package that provides it; a module and `"unpackaged"` for a class of none.
    compiled : bool
        Whether it has a kernel that runs without the GIL.
    """

    kind: str
    name: str
    distribution: str
    version: str
    compiled: bool


class Registry(Generic[C]):
    """The components of one kind, by name.

    Parameters
    ----------
    base : type
        The base class of its components.
    builtins : list of type
        The classes that come with CyNN.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("leaky_relu", negative_slope=0.1)
    LeakyReLU(negative_slope=0.1)
    >>> "sigmoid" in cynn.registry.activations.names()
    True
    """

    def __init__(self, base: type[C], builtins: list[type[C]]) -> None:
        self.kind = base.kind
        self.group = f"cynn.{_plural(base.kind)}"
        self._base = base
        self._builtins = {name: cls for cls in builtins for name in (cls.name, *cls.aliases)}
        self._registered: dict[str, type[C]] = {}
        self._entry_points: dict[str, list[EntryPoint]] | None = None
        self._loaded: dict[type[Component], EntryPoint] = {}

    def get(self, spec: Any, **hyperparameters: Any) -> C:
        """An instance for a name, a configuration, a class or an instance.

        Parameters
        ----------
        spec : str, dict, class or instance
            A name (`"relu"`, or `"package:name"` where two packages offer one name), what
            `get_config` returned, a class of this kind, or an instance, returned as it is.
        **hyperparameters
            Values for the hyperparameters; not with an instance or a configuration.

        Returns
        -------
        Component
            Of the registry's kind.

        Raises
        ------
        UnknownNameError
            Nothing has that name; the message lists the nearest.
        PluginError
            The plugin cannot be imported or made, or two packages offer the name.
        """
        if isinstance(spec, self._base) and not hyperparameters:
            return spec
        if isinstance(spec, dict) and isinstance(spec.get("name"), str) and not hyperparameters:
            cls = self.find(spec["name"])
            return self._build(cls, lambda: cls.from_config(spec))
        if isinstance(spec, (str, type)):
            if isinstance(spec, str):
                spec = self.find(spec)
            if issubclass(spec, self._base):
                cls = spec
                return self._build(cls, lambda: cls(**hyperparameters))
        raise InvalidParameterError(
            f"The {self.kind} must be a name, an instance of {self._base.__name__}, such a class, or a dict "
            f"with a 'name'. Got {shown(spec)} instead."
        )

    def _build(self, cls: type[C], make: Callable[[], C]) -> C:
        try:
            return make()
        except CynnError:
            raise
        except Exception as error:
            distribution, version = self.origin(cls)
            raise PluginError(
                f"The {self.kind} {cls.name!r} of {distribution} {version} could not be made: "
                f"{type(error).__name__}: {error}"
            ) from error

    def find(self, name: str) -> type[C]:
        """The class of that name.

        Parameters
        ----------
        name : str
            Such as `"relu"`, or `"package:name"` where two packages offer one name.

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
        """All names, without loading anything; package:name where several packages offer one."""
        found = {cls.name for known in (self._builtins, self._registered) for cls in known.values()}
        for name, entry_points in self._scan().items():
            if len(entry_points) == 1:
                found.add(name)
            else:
                found.update(f"{_distribution(entry_point)[0]}:{name}" for entry_point in entry_points)
        return sorted(found)

    def describe(self, name: str) -> Description:
        """Kind, distribution, version, and whether it is compiled. A plugin is imported to tell.

        Parameters
        ----------
        name : str
            Such as `"relu"`, or `"package:name"` where two packages offer one name.

        Returns
        -------
        Description
            Where it comes from.
        """
        cls = self.find(name)
        distribution, version = self.origin(cls)
        return Description(self.kind, name, distribution, version, compiled=cls.is_compiled())

    def origin(self, cls: type[Component]) -> tuple[str, str]:
        """The distribution that a class comes from, and its version.

        Parameters
        ----------
        cls : type
            Of a component.

        Returns
        -------
        tuple (distribution, version)
            A module and `"unpackaged"` for a class of no distribution.
        """
        if cls in self._builtins.values():
            return package_names.OWN, __version__
        if cls in self._loaded:
            return _distribution(self._loaded[cls])
        for entry_points in self._scan().values():
            for entry_point in entry_points:
                if (entry_point.module, entry_point.attr) == (cls.__module__, cls.__qualname__):
                    return _distribution(entry_point)
        return cls.__module__, "unpackaged"

    def has(self, name: str) -> bool:
        """Whether anything has that name, without loading it.

        Parameters
        ----------
        name : str
            Without a package in front.

        Returns
        -------
        bool
            True for a plugin that is broken, too.
        """
        return name in self._builtins or name in self._registered or name in self._scan()

    def offers(self, name: str) -> dict[str, str]:
        """The distributions that offer a name, with their versions, without loading it.

        Parameters
        ----------
        name : str
            Without a package in front.

        Returns
        -------
        dict of str to str
            Empty for what this process registered.
        """
        built_in = {package_names.OWN: __version__} if name in self._builtins else {}
        return built_in | dict(_distribution(entry_point) for entry_point in self._scan().get(name, []))

    def requirements(self) -> dict[str, list[str]]:
        """What each distribution with plugins of this kind requires, without loading anything.

        Returns
        -------
        dict of str to list of str
            By the distribution's name; each as its metadata have it, such as `"numpy>=2"`.
        """
        offered = [entry_point for entry_points in self._scan().values() for entry_point in entry_points]
        return {_name(each): list(each.dist.requires or []) for each in offered if each.dist}

    def provider(self, name: str) -> str:
        """The distribution that offers a name, without loading it; empty for what this process registered.

        Parameters
        ----------
        name : str
            Perhaps with a package in front.

        Returns
        -------
        str
            `"cynn-nn"` for what is built in.
        """
        if name in self._builtins:
            return package_names.OWN
        return "" if name in self._registered else _distribution(self._entry_point(name))[0]

    def register(self, cls: type[C]) -> type[C]:
        """Make a class known by its name and aliases in this process; returns it, so that it decorates.

        Parameters
        ----------
        cls : type
            A subclass of the registry's base, with a name.

        Returns
        -------
        type
            The same class.
        """
        self._check(cls, repr(cls))
        names = (cls.name, *cls.aliases)
        for name in names:
            taken = self._builtins.get(name) or self._registered.get(name, cls)
            if taken is not cls:
                raise PluginError(f"The name of {cls!r} must be new. {name!r} is taken by {taken!r}.")
        if cls not in self._builtins.values():
            self._registered.update(dict.fromkeys(names, cls))
        return cls

    def _scan(self) -> dict[str, list[EntryPoint]]:
        if self._entry_points is None:
            from importlib.metadata import entry_points  # slow to import, so only when a plugin is asked for

            found: dict[str, dict[str, EntryPoint]] = {}
            for entry_point in _without_former(list(entry_points(group=self.group))):
                # an installation may be on the path twice (an editable one is): the first counts
                same_name = found.setdefault(entry_point.name, {})
                same_name.setdefault(_package(entry_point), entry_point)
            self._entry_points = {
                name: [by_package[package] for package in sorted(by_package)]
                for name, by_package in found.items()
            }
        return self._entry_points

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

    def _load(self, entry_point: EntryPoint) -> type[C]:
        distribution, version = _distribution(entry_point)
        source = f"the {self.kind} {entry_point.name!r} of {distribution} {version} ({entry_point.value})"
        try:
            cls = entry_point.load()
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{source[0].upper()}{source[1:]} could not be imported: {type(error).__name__}: {error}"
            ) from error
        self._check(cls, f"{source[0].upper()}{source[1:]}")
        if entry_point.name not in (cls.name, *cls.aliases):
            # a saved network names the class, and is to find it by that name
            raise PluginError(
                f"{source[0].upper()}{source[1:]} must have the name of its entry point, or that among "
                "its aliases. "
                f"Got the name {cls.name!r} instead."
            )
        self._loaded[cls] = entry_point
        return cls  # type: ignore[no-any-return]  # checked on the line above

    def _check(self, cls: Any, source: str) -> None:
        if not (isinstance(cls, type) and issubclass(cls, self._base)):
            raise PluginError(f"{source} must be a subclass of {self._base.__name__}. Got {shown(cls)} instead.")
        if not cls.name:
            raise PluginError(f"{source} must have a name. Got an empty one instead.")


def _plural(kind: str) -> str:
    return kind + ("es" if kind.endswith("s") else "s")


def _distribution(entry_point: EntryPoint) -> tuple[str, str]:
    """Name and version of the package that an entry point comes from."""
    if _is_ours(entry_point):
        return package_names.OWN, __version__  # whatever an installation says that was left behind
    return _name(entry_point), (entry_point.dist and entry_point.dist.version) or "unknown"


def _name(entry_point: EntryPoint) -> str:
    # an installation whose metadata are damaged has none
    return (entry_point.dist and entry_point.dist.name) or "unknown"


def _package(entry_point: EntryPoint) -> str:
    return package_names.canonical(_distribution(entry_point)[0])


def _is_ours(entry_point: EntryPoint) -> bool:
    # by its module, too: there is another project of our former name
    return package_names.is_ours(_name(entry_point)) and entry_point.value.startswith("cynn_plugins.")


def _is_former(entry_point: EntryPoint) -> bool:
    return _is_ours(entry_point) and _name(entry_point) == package_names.FORMER


def _without_former(entry_points: list[EntryPoint]) -> list[EntryPoint]:
    """An installation of ours under its former name counts only where there is none under the present one."""
    if any(_is_ours(entry_point) and not _is_former(entry_point) for entry_point in entry_points):
        return [entry_point for entry_point in entry_points if not _is_former(entry_point)]
    return entry_points


def _subclasses(module: Any, base: type[C]) -> list[type[C]]:
    return [getattr(module, name) for name in module.__all__ if getattr(module, name) is not base]


activations = Registry(_activations.Activation, _subclasses(_activations, _activations.Activation))
losses = Registry(_losses.Loss, _subclasses(_losses, _losses.Loss))
optimizers = Registry(_optimizers.Optimizer, _subclasses(_optimizers, _optimizers.Optimizer))
OF_KIND: dict[str, Registry[Any]] = {of_kind.kind: of_kind for of_kind in (activations, losses, optimizers)}
