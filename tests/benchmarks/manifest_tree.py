"""A repository of manifests as teams keep them: thousands of small YAML files, always the same.

A command: ``python -m tests.benchmarks.manifest_tree FOLDER --apps 1000``.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path

NAMESPACES = 20
TIERS = ("frontend", "backend", "worker", "cache", "store")

_DEPLOYMENT = """\
# {app}, of {team}. Ask {team}@example.com before this is changed.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {app}
  namespace: {team}
  labels:
    app.kubernetes.io/name: {app}
    app.kubernetes.io/part-of: {team}
    app.kubernetes.io/component: {tier}
  annotations:
    example.com/owner: "{team}@example.com"
    example.com/description: >-
      Serves what {team} needs of {app}, and is restarted
      when its configuration changes.
spec:
  replicas: 2
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate: {{maxSurge: 25%, maxUnavailable: 0}}
  selector:
    matchLabels:
      app.kubernetes.io/name: {app}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {app}
        app.kubernetes.io/part-of: {team}
        app.kubernetes.io/component: {tier}
        version: "v{version}"
    spec:
      serviceAccountName: {app}
      terminationGracePeriodSeconds: 30
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: {tier}
          image: "registry.example.com/{team}/{app}:1.{version}.0"
          imagePullPolicy: IfNotPresent
          args: ["--listen=:{port}", "--log-format=json"]
          env:
            - name: LOG_LEVEL
              value: info
            - name: POD_IP
              valueFrom:
                fieldRef:
                  fieldPath: status.podIP
          ports:
            - name: http
              containerPort: {port}
            - name: metrics
              containerPort: 9090
              protocol: TCP
          readinessProbe:
            httpGet:
              path: /ready
              port: http
            periodSeconds: 10
          livenessProbe:
            httpGet:
              path: /healthz
              port: http
            initialDelaySeconds: 15
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits:
              memory: 256Mi
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop:
                - ALL
          volumeMounts:
            - name: tmp
              mountPath: /tmp
            - name: config
              mountPath: /etc/{app}
              readOnly: true
      volumes:
        - name: tmp
          emptyDir: {{}}
        - name: config
          configMap:
            name: {app}-config
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: topology.kubernetes.io/zone
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app.kubernetes.io/name: {app}
"""

_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {app}
  namespace: {team}
  labels:
    app.kubernetes.io/name: {app}
    app.kubernetes.io/part-of: {team}
  annotations:
    prometheus.io/scrape: "true"
    prometheus.io/port: "9090"
spec:
  type: ClusterIP
  selector:
    app.kubernetes.io/name: {app}
  ports:
    - name: http
      port: 80
      targetPort: http
      protocol: TCP
    - name: metrics
      port: 9090
      targetPort: metrics
"""

_POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {app}
  namespace: {team}
  labels:
    app.kubernetes.io/part-of: {team}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {app}
  policyTypes:
    - Ingress
    - Egress
  ingress:
    # the ones that call it
    - from:
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: {caller}
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {other}
          podSelector:
            matchExpressions:
              - key: app.kubernetes.io/component
                operator: In
                values: [frontend, {tier}]
      ports:
        - protocol: TCP
          port: {port}
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: monitoring
      ports:
        - port: metrics
  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
          podSelector:
            matchLabels:
              k8s-app: kube-dns
      ports:
        - protocol: UDP
          port: 53
        - protocol: TCP
          port: 53
    - to:
        - podSelector:
            matchLabels:
              app.kubernetes.io/name: {callee}
    - to:
        - ipBlock:
            cidr: 10.{block}.0.0/16
            except:
              - 10.{block}.{part}.0/24
      ports:
        - protocol: TCP
          port: 5432
          endPort: 5440
"""

_NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: {team}
  labels:
    kubernetes.io/metadata.name: {team}
"""


def files(apps: int, seed: int = 1) -> Iterator[tuple[str, str]]:
    """Yield path and text of every file: a Deployment, a Service and a NetworkPolicy for each of *apps*, in 20 namespaces."""
    dice = random.Random(seed)  # noqa: S311 - the same tree every time is the point
    teams = [f"team-{n:02}" for n in range(min(NAMESPACES, apps))]
    for team in teams:
        yield f"{team}/namespace.yaml", _NAMESPACE.format(team=team)
    names = [f"{dice.choice(TIERS)}-{n:04}" for n in range(apps)]
    for number, app in enumerate(names):
        team = teams[number % len(teams)]
        beside = names[number % len(teams) : 200 : len(teams)]
        words = {
            "app": app,
            "team": team,
            "tier": app.partition("-")[0],
            "version": dice.randrange(40),
            "port": 8000 + dice.randrange(90),
            "caller": dice.choice(beside),
            "callee": dice.choice(beside),
            "other": dice.choice(teams),
            "block": dice.randrange(256),
            "part": dice.randrange(256),
        }
        for name, text in (("deployment", _DEPLOYMENT), ("service", _SERVICE), ("networkpolicy", _POLICY)):
            yield f"{team}/{app}/{name}.yaml", text.format(**words)


def write(folder: Path, apps: int = 1000, seed: int = 1) -> int:
    """Write the files below *folder*; return how many bytes they are."""
    total = 0
    for name, text in files(apps, seed):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        total += path.write_bytes(text.encode())
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a tree of manifests, always the same.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.stdout.write(f"{write(given.folder, given.apps, given.seed)} bytes\n")
