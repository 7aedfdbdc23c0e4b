"""setuptools: ``pkg_resources``, by which Chainer asks what is installed."""

import re
import types
from importlib import metadata

from packaging.version import Version

from chainer_vae.compat.patch import Patch, installed_version


def _without_pkg_resources() -> bool:
    # setuptools 67.5 to 81 still have it, but warn when it is imported.
    setuptools = installed_version("setuptools")
    return setuptools is None or setuptools >= Version("67.5")


def pkg_resources() -> types.ModuleType:
    """The part of pkg_resources that Chainer uses: is this requirement installed?"""

    class ResolutionError(Exception):
        pass

    class DistributionNotFound(ResolutionError):
        pass

    class VersionConflict(ResolutionError):
        pass

    class WorkingSet:
        def require(self, *requirements: str) -> None:
            for text in requirements:
                version = installed_version(re.findall(r"[\w.-]+", text)[0])
                if version is None:
                    raise DistributionNotFound(text)
                from packaging.requirements import Requirement  # takes long

                if not Requirement(text).specifier.contains(version, prereleases=True):
                    raise VersionConflict(text)

    module = types.ModuleType("pkg_resources")
    module.__dict__.update(
        ResolutionError=ResolutionError,
        DistributionNotFound=DistributionNotFound,
        VersionConflict=VersionConflict,
        WorkingSet=WorkingSet,
        require=WorkingSet().require,
        get_distribution=metadata.distribution,
    )
    return module


PATCHES = tuple(
    Patch(
        module,
        "pkg_resources",
        "setuptools 67.5 (deprecated), 82 (removed)",
        _without_pkg_resources,
        provide={"pkg_resources": pkg_resources},
    )
    for module in (
        "chainer._environment_check",
        "chainer.testing.helper",
        "chainer.testing.doctest_helper",
    )
)
