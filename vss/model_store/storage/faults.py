"""Which faults of a place pass by themselves and which never do; the one table for every backend of fsspec.

The backends share no errors beyond Python's own: their libraries' are told by the name of their class, for none of them
need be installed.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import Final

from vss.errors import ConfigError, ModelNotFound, StoreUnavailable, VssError
from vss.masking import mask_text

# What the same request will get again: a bad argument, no such operation, no room, no way.
_LASTING: Final = {
    errno.EINVAL: "it does not take such a request",
    errno.ENOSYS: "it cannot do that",
    errno.EPERM: "it does not let us",
    errno.EROFS: "it is read-only",
    errno.ENAMETOOLONG: "a name is too long for it",
    errno.EMSGSIZE: "the file is too large for it",
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "no space is left for this user",
    errno.ENOTDIR: "something on the way is no folder",
    errno.EISDIR: "a folder lies where a file should",
    errno.ELOOP: "a link leads to itself",
    getattr(errno, "EREMCHG", errno.EINVAL): "it lies elsewhere, in another region",
}
# botocore, google-auth, azure-identity, paramiko.
_REFUSED: Final = ("Credential", "ProfileNotFound", "Authentication", "Authorization")
_MISUSED: Final = ("NoRegion", "InvalidRegion", "ParamValidation", "UnknownEndpoint")
_PACKAGES: Final = {
    "s3": "'vss-fleet[s3]'",
    "s3a": "'vss-fleet[s3]'",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
    "hf": "huggingface_hub",
}


@contextlib.contextmanager
def reaching(shown: str) -> Iterator[None]:
    """Makes every fault of a place one of ours.

    Args:
        shown: How to speak of the place.

    Raises:
        StoreUnavailable: It may come back.
        ConfigError: It will not.
        ModelNotFound: What was asked for is gone.
    """
    try:
        yield
    except VssError:
        raise
    except Exception as error:
        raise _ours(error, shown) from error


def _ours(error: Exception, shown: str) -> VssError:
    name = type(error).__name__
    reason = mask_text(_reason(error))
    where = f"the model store {shown}"
    if isinstance(error, FileNotFoundError):
        return ModelNotFound(f"{where} has no such file: {reason}", fix="look with `vss models list` what it has")
    if isinstance(error, ImportError):
        return ConfigError(f"{where} needs a package that is not installed: {reason}", fix=_package(shown))
    if isinstance(error, PermissionError) and "://" not in shown:
        return ConfigError(f"{where} may not be read: {reason}", fix="check the folder's permissions")
    if isinstance(error, PermissionError) or any(word in name for word in _REFUSED):
        return ConfigError(
            f"{where} refuses us: {reason}", fix="give the credentials that its library reads, with the right to it"
        )
    number = error.errno if isinstance(error, OSError) else None
    if number in _LASTING:
        return ConfigError(
            f"{where}: {_LASTING[number]}: {reason}", fix="correct the address, or the place it names (model.store)"
        )
    if isinstance(error, ValueError | TypeError | NotImplementedError) or any(word in name for word in _MISUSED):
        return ConfigError(f"{where} cannot be used: {reason}", fix="correct its address (model.store)")
    return StoreUnavailable(
        f"{where} does not answer: {reason}",
        fix="check the network and the address; it is tried again where that helps",
    )


def _reason(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(text.split())[:300] or type(error).__name__


def _package(shown: str) -> str:
    protocol = shown.partition("://")[0]
    if protocol in _PACKAGES:
        return f"install it with `pip install {_PACKAGES[protocol]}`"
    return f"install the package that opens {protocol}:// addresses"
