"""Generate the CRI stubs of this folder from the published api.proto: `python cri/api/generate.py`, or `make api`.

Fetches k8s.io/cri-api through the Go module cache, runs protoc from grpcio-tools, and writes `api_pb2_grpc.pyi` itself,
because protoc types messages but not services. Never runs in the daemon; what it writes is committed.
"""

import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MODULE = "k8s.io/cri-api@v0.37.2"
PROTO = "pkg/apis/runtime/v1/api.proto"
FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent


class Method(NamedTuple):
    """One RPC with the names of its messages."""

    name: str
    request: str
    response: str
    streams: bool


def fetch_proto() -> Path:
    """Return the path of api.proto in the module cache, downloaded when it is absent."""
    answer = subprocess.run(
        ["go", "mod", "download", "-json", MODULE], check=True, capture_output=True, cwd=tempfile.gettempdir()
    )
    return Path(str(json.loads(answer.stdout)["Dir"])) / PROTO


def compile_proto(source: Path) -> None:
    """Write api_pb2.py, api_pb2.pyi and api_pb2_grpc.py below their import path `cri.api`."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "cri" / "api" / "api.proto"
        copy.parent.mkdir(parents=True)
        copy.write_bytes(source.read_bytes())
        outputs = [f"--{kind}_out={ROOT}" for kind in ("python", "pyi", "grpc_python")]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{scratch}", *outputs, "cri/api/api.proto"]
        subprocess.run(command, check=True)


def describe_services() -> dict[str, list[Method]]:
    """Read services and methods back from the compiled descriptor."""
    sys.path.insert(0, str(ROOT))
    descriptor = importlib.import_module("cri.api.api_pb2").DESCRIPTOR
    return {
        name: [
            Method(m.name, m.input_type.name, m.output_type.name, bool(m.server_streaming)) for m in service.methods
        ]
        for name, service in descriptor.services_by_name.items()
    }


def service_types(name: str, methods: list[Method]) -> Iterator[str]:
    """Type one service: its stub, its servicer and its registration."""
    yield f"class {name}Stub:"
    yield "    def __init__(self, channel: grpc.Channel | grpc.aio.Channel) -> None: ..."
    for method in methods:
        kind = "UnaryStreamMultiCallable" if method.streams else "UnaryUnaryMultiCallable"
        yield f"    {method.name}: grpc.{kind}[api_pb2.{method.request}, api_pb2.{method.response}]"
    yield ""
    yield f"class {name}AsyncStub:"
    for method in methods:
        kind = "UnaryStreamMultiCallable" if method.streams else "UnaryUnaryMultiCallable"
        yield f"    {method.name}: grpc.aio.{kind}[api_pb2.{method.request}, api_pb2.{method.response}]"
    yield ""
    yield f"class {name}Servicer: ..."
    yield ""
    yield f"def add_{name}Servicer_to_server(servicer: object, server: grpc.Server | grpc.aio.Server) -> None: ..."


def write_service_types(services: dict[str, list[Method]]) -> None:
    """Write api_pb2_grpc.pyi. `...AsyncStub` exists for annotations only: cast a stub made on an aio channel to it."""
    lines = ["import grpc", "import grpc.aio", "", "from cri.api import api_pb2", ""]
    for name, methods in services.items():
        lines += [*service_types(name, methods), ""]
    (FOLDER / "api_pb2_grpc.pyi").write_text("\n".join(lines))


def main() -> None:
    """Generate all four files."""
    compile_proto(fetch_proto())
    write_service_types(describe_services())


if __name__ == "__main__":
    main()
