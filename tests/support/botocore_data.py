"""The data of botocore, read once for all sessions of a process: 0.1 s less for each of them.

botocore shares what it has read among the clients of one session, and so changes nothing of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader, Loader


@contextmanager
def shared_botocore_data() -> Iterator[None]:
    """Let all sessions share the files that any of them has read, and the names of services."""
    files: dict[str, Any] = {}
    services: dict[tuple[str, ...], list[str]] = {}
    load_file, list_services = JSONFileLoader.load_file, Loader.list_available_services

    def shared_file(loader: JSONFileLoader, path: str) -> Any:
        if files.get(path) is None:  # a file that is not there may come later
            files[path] = load_file(loader, path)
        return files[path]

    def shared_services(loader: Loader, type_name: str) -> list[str]:
        key = (type_name, *loader.search_paths)
        if key not in services:
            services[key] = list_services(loader, type_name)
        return services[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", shared_file)
        patch.setattr(Loader, "list_available_services", shared_services)
        yield
