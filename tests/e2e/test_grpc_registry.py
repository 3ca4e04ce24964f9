"""FLT-2 over gRPC: the Registry service, by the stubs that any language can make of the proto."""
from __future__ import annotations

import sys

import grpc
import pytest

from fleet_project import ROOT, FleetProject

sys.path.insert(0, str(ROOT / "python"))
from mainstay._proto import link_pb2 as wire  # noqa: E402
from mainstay._proto import link_pb2_grpc as services  # noqa: E402

SECONDS = 60


class Registry:
    def __init__(self, target: str, token: str) -> None:
        self._channel = grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)])
        self._stub = services.RegistryStub(self._channel)
        self._metadata = [("authorization", f"Bearer {token}")] if token else []

    def __getattr__(self, name: str):
        call = getattr(self._stub, name)
        return lambda request: call(request, timeout=SECONDS, metadata=self._metadata)

    def close(self) -> None:
        self._channel.close()


@pytest.fixture
def connect(project: FleetProject):
    project.write("mainstay.yaml", 'http: {listen: "127.0.0.1:0"}\nlink: {listen: "127.0.0.1:0"}\n')
    project.python_fleet()
    project.up()
    project.wait_agents()
    made = []

    def connect(token: str, unix: bool = False) -> Registry:
        target = project.daemon_info()["link_address"]
        if unix:
            target = f"unix:{project.folder}/.mainstay/link.sock"
        made.append(Registry(target, token))
        return made[-1]

    yield connect
    for registry in made:
        registry.close()


def code_of(call, request) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as failed:
        call(request)
    return failed.value.code(), failed.value.details()


def test_an_agent_registers_is_found_and_leaves(project: FleetProject, connect):
    registry = connect(project.token())
    made = registry.Register(wire.RegisterRequest(
        name="far", endpoint="http://10.0.0.1:80", capabilities=["see"], labels={"zone": "a"},
        lease_ms=3_600_000))
    assert (made.name, made.state, made.kind) == ("far", "healthy", "external")
    asked = [wire.FindRequest(name="far"), wire.FindRequest(capability="see"),
             wire.FindRequest(health=["healthy", "failed"], labels={"zone": "a"})]
    for request in asked:
        assert [a.endpoint for a in registry.Find(request).agents] == ["http://10.0.0.1:80"]
    for request in (wire.FindRequest(name="near"), wire.FindRequest(labels={"zone": "b"}),
                    wire.FindRequest(name="far", health=["failed"])):
        assert not registry.Find(request).agents
    assert {a.name for a in registry.Find(wire.FindRequest()).agents} == {"far", "worker"}
    # The other faces see the same agent; registering again replaces what is known.
    assert project.agents()["far"]["labels"] == {"zone": "a"}
    registry.Register(wire.RegisterRequest(name="far", endpoint="http://10.0.0.2:80",
                                           lease_ms=3_600_000))
    assert project.agents()["far"]["endpoint"] == "http://10.0.0.2:80"
    assert project.agents()["far"]["capabilities"] == []
    renewed = registry.Renew(wire.RenewRequest(name="far", lease_ms=7_200_000))
    assert renewed.lease_until_unix_micros > made.lease_until_unix_micros
    registry.Deregister(wire.DeregisterRequest(name="far"))
    assert "far" not in project.agents()
    code, said = code_of(registry.Renew, wire.RenewRequest(name="far"))
    assert code is grpc.StatusCode.NOT_FOUND and "far" in said


def test_who_may_and_what_is_refused(project: FleetProject, connect):
    good = wire.RegisterRequest(name="far", endpoint="http://x:1")
    for token in ("", "ms_op_wrong"):
        stranger = connect(token)
        assert code_of(stranger.Register, good)[0] is grpc.StatusCode.UNAUTHENTICATED
        assert code_of(stranger.Find, wire.FindRequest())[0] is grpc.StatusCode.UNAUTHENTICATED
    registry = connect(project.token(), unix=True)
    for request, said in [
            (wire.RegisterRequest(name="A b", endpoint="http://x:1"), "name"),
            (wire.RegisterRequest(name="a"), "endpoint: missing"),
            (wire.RegisterRequest(name="a", endpoint="http://x:1", lease_ms=1), "lease"),
            (wire.RegisterRequest(name="a", endpoint="http://x:1", lease_ms=-2**63), "lease"),
            (wire.RegisterRequest(name="a", endpoint="http://x:1", lease_ms=2**63 - 1), "lease"),
            (wire.RegisterRequest(name="a", endpoint="http://x:1", capabilities=["B c"]),
             "capabilities"),
            (wire.RegisterRequest(name="a", endpoint="x" * 3000), "endpoint"),
            (wire.RegisterRequest(name="a", endpoint="not a url \x1b[31m"),
             'endpoint: expected a URL such as http://10.0.0.5:8000'),
            (wire.RegisterRequest(name="a", endpoint="http://x:1", labels={"K k": ""}), "labels"),
            (wire.RegisterRequest(name="a", endpoint="http://x:1", labels={"k": "v" * 2000}),
             "labels")]:
        code, details = code_of(registry.Register, request)
        assert code is grpc.StatusCode.INVALID_ARGUMENT and said in details, details
    code, details = code_of(registry.Register,
                            wire.RegisterRequest(name="worker", endpoint="http://x:1"))
    assert "the fleet file owns the name worker" in details
    code, details = code_of(registry.Find, wire.FindRequest(health=["sick"]))
    assert code is grpc.StatusCode.INVALID_ARGUMENT and "sick" in details
    assert set(project.agents()) == {"worker"}
