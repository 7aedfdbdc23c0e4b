"""protobuf: the messages of Caffe's models, generated in 2015 by a compiler of that time."""

import types
from typing import Any, Callable

from packaging.version import Version

from chainer_vae.compat.patch import Patch, installed_version

MODULE = "chainer.links.caffe.protobuf3.caffe_pb2"


class _Nothing:
    """Takes whatever the generated code does with it."""

    def __call__(self, *args: Any, **kwargs: Any) -> "_Nothing":
        return self

    def __getattr__(self, name: str) -> "_Nothing":
        return self

    def __getitem__(self, key: Any) -> "_Nothing":
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


class _Descriptors(_Nothing):
    """protobuf as the generated code asks for it; keeps the schema, which the code holds whole."""

    schema: bytes

    def FileDescriptor(self, *, serialized_pb: bytes, **kwargs: Any) -> _Nothing:
        type(self).schema = serialized_pb
        return _Nothing()

    @property
    def descriptor(self) -> "_Descriptors":
        return self


def _without_descriptors_by_hand() -> bool:
    version = installed_version("protobuf")
    return version is not None and version >= Version("4")


def _build_from_schema(caffe_pb2: types.ModuleType) -> None:
    """Make the messages by today's protobuf, from the schema."""
    from google.protobuf import descriptor_pool
    from google.protobuf.internal import builder

    # A pool of its own: another library may bring a caffe.proto, too.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_Descriptors.schema)
    file, names = pool.FindFileByName("caffe.proto"), vars(caffe_pb2)
    names["DESCRIPTOR"] = file
    builder.BuildMessageAndEnumDescriptors(file, names)
    builder.BuildTopDescriptorsAndMessages(file, MODULE, names)


_provided: dict[str, Callable[[], Any]] = {
    "google.protobuf": _Descriptors,
    "google.protobuf.internal": _Nothing,
}
PATCHES = (
    Patch(
        MODULE,
        "descriptors that generated code makes by hand",
        "protobuf 4.21 (removed)",
        _without_descriptors_by_hand,
        provide=_provided,
        apply=_build_from_schema,
    ),
)
