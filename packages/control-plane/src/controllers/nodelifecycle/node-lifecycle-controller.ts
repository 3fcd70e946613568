// Notices nodes that have gone silent and says so in their conditions and taints, and in the readiness of their pods.
import { again, done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { seconds, toTime } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import type { Node } from '@kedge/model/k8s-types';
import { isReady } from '../pods/pod-state.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { isNodeReady, patienceLeft, type Pulse, takePulse, unknownConditions } from './node-health.ts';
import { type Evicting, isNewlyGone, planTaints } from './node-taints.ts';
import { EvictionPace, judgeZone, zoneOf, type ZoneVerdict } from './zones.ts';

const lookEvery = seconds(5);

export function createNodeLifecycleController(deps: ControllerDeps): Module {
  const { api, cluster, clock, log } = deps;
  const events = deps.events('node-controller');
  const nodes = cluster.of(collections.nodes);
  const leases = cluster.of(collections.leases, { namespace: 'kube-node-lease' });
  const pulses = new Map<string, Pulse>();
  const pace = new EvictionPace();
  /** By zone, until a node changes: all nodes are counted for it. */
  const verdicts = new Map<string, ZoneVerdict>();

  async function reconcile(name: string, signal: AbortSignal): Promise<Next> {
    const node = nodes.get(name);
    if (!node) {
      pulses.delete(name);
      return done;
    }
    const now = clock.monotonic();
    const pulse = takePulse(pulses.get(name), node, leases.get(`kube-node-lease/${name}`), now);
    if (!pulses.has(name)) {
      const message = `Node ${name} event: Registered Node ${name} in Controller`;
      events.normal(node, 'RegisteredNode', message);
    }
    pulses.set(name, pulse);
    const isSilent = patienceLeft(pulse, now) <= 0;
    if (isSilent && (await markSilent(node, signal))) return again(lookEvery, 'taints follow the conditions');
    await writeTaints(node, signal);
    if (!isNodeReady(node)) await markPodsNotReady(name, signal);
    return again(lookEvery, 'nodes fall silent without an event');
  }

  /** True when something had to be written; the rest follows when the copy shows it. */
  async function markSilent(node: Node, signal: AbortSignal): Promise<boolean> {
    const conditions = unknownConditions(node, clock.now());
    if (!conditions) return false;
    const { name = '' } = node.metadata;
    const patch = JSON.stringify({ status: { conditions } });
    try {
      await api.patch(collections.nodes, { name, subresource: 'status' }, 'strategic', patch, { signal });
      log.warn('node is silent', { node: name });
      if (isNodeReady(node)) events.normal(node, 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
    return true;
  }

  function evicting(node: Node): Evicting {
    const zone = zoneOf(node);
    const verdict = verdicts.get(zone) ?? judgeZone(node, nodes.list());
    verdicts.set(zone, verdict);
    const { allDown, rate } = verdict;
    if (allDown) return 'none';
    if (!isNewlyGone(node)) return 'all';
    return pace.take(zone, rate, clock.now()) ? 'all' : 'later';
  }

  async function writeTaints(node: Node, signal: AbortSignal): Promise<void> {
    const taints = planTaints(node, clock.now(), evicting(node));
    if (!taints) return;
    const { name = '', resourceVersion } = node.metadata;
    const patch = JSON.stringify({
      metadata: { resourceVersion },
      spec: { taints: taints.length > 0 ? taints : null },
    });
    try {
      await api.patch(collections.nodes, { name }, 'merge', patch, { signal });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }

  /** Nobody should send traffic to pods that we do not hear of; the node reports them afresh when it is back. */
  async function markPodsNotReady(node: string, signal: AbortSignal): Promise<void> {
    for (const pod of cluster.podsByNode.get(node)) {
      if (!isReady(pod)) continue;
      const { namespace, name = '', uid } = pod.metadata;
      const ready = { type: 'Ready', status: 'False', lastTransitionTime: toTime(clock.now()) };
      const patch = JSON.stringify({ metadata: { uid }, status: { conditions: [ready] } });
      try {
        await api.patch(collections.pods, { namespace, name, subresource: 'status' }, 'strategic', patch, { signal });
        events.warning(pod, 'NodeNotReady', 'Node is not ready');
      } catch (error) {
        if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
      }
    }
  }

  return createController(deps, {
    name: 'nodelifecycle',
    reads: [nodes, leases, cluster.pods],
    watch: (queue) => {
      const lookAtAll = () => {
        for (const { metadata } of nodes.list()) queue.enqueue(metadata.name ?? '');
      };
      return [
        nodes.listen({
          onPut(node, before) {
            verdicts.clear();
            queue.enqueue(objectKey(node));
            // The first node that is ready, or the last one that is not, decides about everybody's eviction.
            if (before && isNodeReady(before) !== isNodeReady(node)) lookAtAll();
          },
          onDelete(node) {
            verdicts.clear();
            queue.enqueue(objectKey(node));
            lookAtAll();
          },
        }),
      ];
    },
    reconcile,
  });
}
