"""pandas, out of the environment of `make mlflow`.

Beside Weir it would be loaded by River, and by that in every process that a test starts.
"""

import sys
from importlib import import_module
from typing import Any

from tests.api.registry.mlflow_servers import PROGRAMS


def _from_mlflows_environment(name: str) -> Any:
    (packages,) = PROGRAMS.parent.glob("lib/python3.*/site-packages")
    sys.path.append(str(packages))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(packages))


pd = _from_mlflows_environment("pandas")
