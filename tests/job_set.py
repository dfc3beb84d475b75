"""What a JobSet of ours may look like, after the Go types of jobset.x-k8s.io/v1alpha2, batch/v1 and core/v1."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


def exactly(*allowed: Any) -> Callable[[Any], bool]:
    return lambda value: value in allowed


CONTAINER = {
    "name!": str,
    "image!": str,
    "args": [str],
    "ports": [{"containerPort!": int}],
    "env": [{"name!": str, "value": str, "valueFrom": {"secretKeyRef!": {"name!": str, "key!": str}}}],
    "resources!": {"requests": {"google.com/tpu!": int}, "limits!": {"google.com/tpu!": int}},
    "volumeMounts": [{"name!": str, "mountPath!": str, "readOnly": bool}],
}
POD_SPEC = {
    "restartPolicy!": exactly("Never"),  # a pod failure policy asks for it
    "terminationGracePeriodSeconds": int,
    "serviceAccountName": str,
    "nodeSelector!": {
        "cloud.google.com/gke-tpu-accelerator!": str,
        "cloud.google.com/gke-tpu-topology!": str,
        "cloud.google.com/gke-spot": exactly("true"),
    },
    "tolerations": [{"key": str, "operator": exactly("Equal"), "value": str, "effect": exactly("NoSchedule")}],
    "containers!": [CONTAINER],
    "volumes": [{"name!": str, "persistentVolumeClaim": {"claimName!": str, "readOnly": bool}}],
}
EXIT_CODES = {"containerName": str, "operator!": exactly("In", "NotIn"), "values!": [int]}
JOB_SPEC = {
    "completionMode!": exactly("Indexed"),
    "parallelism!": int,
    "completions!": int,
    "backoffLimit!": int,
    "podFailurePolicy": {"rules!": [{"action!": exactly("FailJob", "Ignore", "Count"), "onExitCodes": EXIT_CODES}]},
    "template!": {"spec!": POD_SPEC},
}
JOB_FAILURES = ("BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "PodFailurePolicy")
RULE = {
    "name!": lambda name: re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", name) is not None,
    "action!": exactly("FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts"),
    "onJobFailureReasons": [exactly(*JOB_FAILURES)],
}
# What of jobset.x-k8s.io/v1alpha2, batch/v1 and core/v1 a manifest of ours may have; ! is what has to be there.
JOB_SET = {
    "apiVersion!": exactly("jobset.x-k8s.io/v1alpha2"),
    "kind!": exactly("JobSet"),
    "metadata!": {"name!": str, "namespace": str, "annotations": {str: str}},
    "spec!": {
        "network": {"enableDNSHostnames": bool, "subdomain": str, "publishNotReadyAddresses": bool},
        "failurePolicy": {"maxRestarts": int, "rules": [RULE]},
        "replicatedJobs!": [{"name!": str, "replicas": int, "template!": {"spec!": JOB_SPEC}}],
    },
}


def faults(value: Any, shape: Any, path: str = "") -> list[str]:
    """Where a value does not have a shape: a type, a test, a list of one shape, or a mapping by name, `str` for any."""
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return [f"{path}: expected a list, found {value!r}"]
        return [fault for i, item in enumerate(value) for fault in faults(item, shape[0], f"{path}[{i}]")]
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{path}: expected a mapping, found {value!r}"]
        required = [name[:-1] for name in shape if name is not str and name.endswith("!")]
        shapes = {name if name is str else name.rstrip("!"): inner for name, inner in shape.items()}
        found = [f"{path}.{name} is missing" for name in required if name not in value]
        for name, inner in value.items():
            known = shapes.get(name, shapes.get(str))
            found += faults(inner, known, f"{path}.{name}") if known else [f"{path}.{name} is unknown"]
        return found
    fits = type(value) is shape if isinstance(shape, type) else shape(value)
    return [] if fits else [f"{path}: found {value!r}"]
