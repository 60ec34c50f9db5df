"""A small world in memory that behaves as the real one is documented to; pure, with time as an argument.

`world` is the door: `SimulatedCluster` takes calls as a real cluster does. Behind it:

- the API server: `api_server`, `store`, `served`, `reading`, `selectors`; `ground` and `sections` take objects out of a snapshot
  and put them back into one;
- EKS and its add-ons: `eks*`, `addon_effects`, `configuration_schema`;
- ``aws-node`` and the policy controller: `agents`, `agent_templates`, `rollout`, `controller`;
- all else that lives there, from when it is first needed: `life` puts together `nodes`, `pods`, `scheduling`, `workloads`,
  `daemonsets`, `jobs`, `budgets`, `services`, `operators`; `enforcing` knows who enforces where (`old_engines` says who may);
- who acts on it from outside, and what goes wrong: `people`, `hardships`.

What is not played: CPU, memory and volumes of nodes, how Deployments roll, eviction from nodes that are down, traffic.
"""
