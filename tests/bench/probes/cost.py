# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""cost.py import CODE | decode DECODER COUNT | list COUNT: what it costs this process, as one JSON object; or a list.

Runs in the environment of one candidate, so it imports nothing but that candidate and the standard library.
"""

import gc
import sys
import time

REPEATS = 5


def resident():
    """Resident memory of this process in MiB."""
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1]) / 1024


def service(number):
    """A Service as the API server lists it, with the parts nobody asked for."""
    ports = [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 80}]
    fields = {"f:metadata": {"f:annotations": {".": {}, "f:metallb.io/ip-allocated-from-pool": {}}}}
    managed = [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsV1": fields,
        }
        for manager in ("kubectl", "controller")
    ]
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {
            "name": f"service-{number}",
            "namespace": "default",
            "uid": f"00000000-0000-4000-8000-{number:012}",
            "resourceVersion": str(1000 + number),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"metallb.io/ip-allocated-from-pool": "default"},
            "managedFields": managed,
        },
        "spec": {
            "ports": ports,
            "selector": {"app": "web"},
            "clusterIP": f"10.96.{number >> 8}.{number & 255}",
            "clusterIPs": [f"10.96.{number >> 8}.{number & 255}"],
            "type": "LoadBalancer",
            "sessionAffinity": "None",
            "externalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {"ingress": [{"ip": f"192.168.{number >> 8}.{number & 255}", "ipMode": "VIP"}]}},
    }


def decoder(name):
    """A function from the text of a list to its decoded form."""
    if name == "json":
        import json

        return json.loads
    if name == "orjson":
        import orjson

        return orjson.loads
    if name == "msgspec":
        import msgspec

        return msgspec.json.Decoder().decode
    if name == "msgspec_typed":
        return typed()
    if name == "lightkube":
        import json

        from lightkube.resources.core_v1 import Service

        return lambda text: [Service.from_dict(item) for item in json.loads(text)["items"]]
    raise SystemExit(f"cost.py: no decoder is called {name!r}")


def typed():
    """Decode no more than a controller reads."""
    import msgspec

    class Metadata(msgspec.Struct, rename="camel"):
        name: str = ""
        namespace: str = ""
        uid: str = ""
        resource_version: str = ""
        creation_timestamp: str = ""
        labels: dict[str, str] = {}
        annotations: dict[str, str] = {}

    class Port(msgspec.Struct):
        port: int = 0
        protocol: str = "TCP"

    class Spec(msgspec.Struct, rename="camel"):
        type: str = ""
        ports: list[Port] = []
        selector: dict[str, str] = {}
        ip_families: list[str] = []
        ip_family_policy: str = ""
        external_traffic_policy: str = ""
        load_balancer_class: str = ""
        load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")

    class Ingress(msgspec.Struct):
        ip: str = ""

    class Balancer(msgspec.Struct):
        ingress: list[Ingress] = []

    class Status(msgspec.Struct, rename="camel"):
        load_balancer: Balancer = msgspec.field(default_factory=Balancer)

    class Service(msgspec.Struct):
        metadata: Metadata
        spec: Spec
        status: Status

    class Services(msgspec.Struct):
        items: list[Service]

    return msgspec.json.Decoder(Services).decode


def measure_import(code):
    started = time.perf_counter()
    exec(code, {})
    elapsed = time.perf_counter() - started
    modules = len(sys.modules)
    return {"seconds": elapsed, "resident": resident(), "modules": modules}


def listing(count):
    """The text of a list, made by another process, so that this one's memory has no holes that it could fill."""
    import subprocess

    return subprocess.run([sys.executable, __file__, "list", str(count)], capture_output=True, check=True).stdout


def print_list(count):
    import json

    print(json.dumps({"kind": "ServiceList", "items": [service(number) for number in range(count)]}))


def measure_decode(name, count):
    """`resident` is what this process has grown by when it holds the decoded list."""
    decode, text = decoder(name), listing(count)
    decode(listing(1))
    gc.collect()
    before = resident()
    kept = decode(text)
    grown = resident() - before
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        kept = decode(text)
        times.append(time.perf_counter() - started)
    del kept
    return {"seconds": min(times), "resident": max(0.0, grown), "bytes": len(text)}


def report(result):
    import json

    print(json.dumps(result))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["import", code, *_]:
            report(measure_import(code))
        case ["decode", name, count]:
            report(measure_decode(name, int(count)))
        case ["list", count]:
            print_list(int(count))
