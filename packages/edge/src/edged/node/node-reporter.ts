// Keeps the Node in the cloud: registers it, reports its status when it changes and now and then when it does not, renews
// its lease, and starts over when somebody deleted it.
import { explain } from '@kedge/core/errors';
import { createBackoff, type Scope, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import { type Clock, type Duration, type Instant, milliseconds, seconds } from '@kedge/core/time';
import type { Node, NodeCondition } from '@kedge/model/k8s-types';
import type { ObjectRef } from '@kedge/model/messages';
import type { EdgedConfig } from '../config.ts';
import type { Asks, Link } from '../ports.ts';
import type { NodeFactsReader } from './node-facts.ts';
import { createNodeLease } from './node-lease.ts';
import { nodeLabels, nodeObject, nodeStatus, statusEssence, statusPatch } from './node-object.ts';

export interface NodeReporterDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly config: EdgedConfig;
  readonly facts: NodeFactsReader;
  readonly asks: Asks;
  readonly link: Link;
  /** The Node was made anew: what the cloud knew of its pods is gone with the old one. */
  readonly nodeMade: () => void;
}

export interface NodeReporter {
  start(scope: Scope): void;
  /** Something about the node may have changed: look now. */
  lookNow(): void;
}

export function createNodeReporter(deps: NodeReporterDeps): NodeReporter {
  const { clock, log, config, asks, link } = deps;
  const ref: ObjectRef = { type: 'node', namespace: undefined, name: config.node };
  const lease = createNodeLease({ asks, clock, node: config.node, duration: config.leaseDuration });
  const lookSoon = new Wakeup();
  const renewSoon = new Wakeup();
  const retry = createBackoff({ first: milliseconds(100), max: seconds(7) });
  /** Undefined until the cloud has the Node, for all we know. */
  let nodeUid: string | undefined;
  let conditions: readonly NodeCondition[] = [];
  let reported: { readonly essence: string; readonly at: Instant } | undefined;

  const accept = (node: Node | undefined): void => {
    const isNews = nodeUid === undefined;
    nodeUid = node?.metadata?.uid ?? nodeUid;
    retry.reset();
    if (isNews) renewSoon.wake();
  };

  async function register(signal: AbortSignal): Promise<boolean> {
    const object = nodeObject(await deps.facts.read(signal), config, clock.now());
    const made = await asks.ask<Node>({ kind: 'object.create', ref, object }, signal);
    if (made.ok) {
      log.info('node registered', { node: config.node });
      conditions = object.status?.conditions ?? [];
      reported = { essence: statusEssence(object.status ?? {}), at: clock.now() };
      accept(made.value);
      deps.nodeMade();
      return true;
    }
    if (made.status.reason !== 'AlreadyExists') {
      log.debug('node could not be registered', { reason: made.status.message });
      return false;
    }
    return adopt(signal);
  }

  /** The Node is there already: learn its uid and bring labels and status up to date. */
  async function adopt(signal: AbortSignal): Promise<boolean> {
    const found = await asks.ask<Node>({ kind: 'object.get', ref }, signal);
    if (!found.ok) return false;
    conditions = found.value.status?.conditions ?? [];
    const facts = await deps.facts.read(signal);
    const status = nodeStatus(facts, config, conditions, clock.now());
    const labels = nodeLabels(facts, config);
    const has = found.value.metadata.labels ?? {};
    const differs = Object.entries(labels).some(([name, value]) => has[name] !== value);
    const patch = statusPatch(status, differs ? labels : undefined);
    const patched = await asks.ask<Node>({ kind: 'node.status', ref, patch }, signal);
    if (!patched.ok) return false;
    conditions = status.conditions ?? [];
    reported = { essence: statusEssence(status), at: clock.now() };
    accept(found.value);
    log.info('node was registered already', { node: config.node });
    return true;
  }

  async function reportStatus(signal: AbortSignal): Promise<void> {
    const status = nodeStatus(await deps.facts.read(signal), config, conditions, clock.now());
    const essence = statusEssence(status);
    const isDue = !reported || clock.now() - reported.at >= config.statusReportEvery || clock.now() < reported.at;
    if (essence === reported?.essence && !isDue) return;
    const answer = await asks.ask<Node>({ kind: 'node.status', ref, patch: statusPatch(status, undefined) }, signal);
    if (!answer.ok) {
      if (answer.status.reason === 'NotFound') forget('it is not in the cloud any more');
      return;
    }
    logReadiness(conditions, status.conditions ?? []);
    conditions = status.conditions ?? [];
    reported = { essence, at: clock.now() };
    accept(answer.value);
  }

  function forget(why: string): void {
    if (nodeUid === undefined) return;
    log.warn('node has to be registered again', { node: config.node, reason: why });
    nodeUid = undefined;
    reported = undefined;
    lookSoon.wake();
  }

  function logReadiness(before: readonly NodeCondition[], after: readonly NodeCondition[]): void {
    const ready = (of: readonly NodeCondition[]) => of.find(({ type }) => type === 'Ready');
    const [from, to] = [ready(before)?.status, ready(after)];
    if (from !== to?.status) log.info('node readiness changed', { from, to: to?.status, reason: to?.message });
  }

  const isRegistered = (): boolean => nodeUid !== undefined || (!config.registerNode && link.isOnline);

  async function pause(name: string, howLong: Duration, wakeup: Wakeup, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const stop = AbortSignal.any([signal, woken.signal]);
    await Promise.race([
      clock.sleep(name, howLong, stop).catch(() => undefined),
      wakeup.wait(stop).catch(() => undefined),
    ]);
    woken.abort();
  }

  async function keepStatus(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let wait: Duration = config.statusUpdateEvery;
      try {
        if (link.isOnline) {
          if (isRegistered()) await reportStatus(signal);
          else if (!(await register(signal))) wait = retry.next();
        }
      } catch (error) {
        if (signal.aborted) return;
        log.warn('node status could not be made', { reason: explain(error) });
      }
      await pause('node status', wait, lookSoon, signal);
    }
  }

  async function keepLease(signal: AbortSignal): Promise<void> {
    const every = milliseconds(config.leaseDuration / 4);
    while (!signal.aborted) {
      if (link.isOnline && isRegistered()) {
        const outcome = await lease.renew(nodeUid, signal).catch(() => 'failed' as const);
        // The lease belongs to the Node and goes with it.
        if (outcome === 'gone') await checkNode(signal).catch(() => undefined);
      }
      await pause('node lease', every, renewSoon, signal);
    }
  }

  async function checkNode(signal: AbortSignal): Promise<void> {
    const found = await asks.ask<Node>({ kind: 'object.get', ref }, signal);
    if (found.ok && found.value.metadata.uid === nodeUid) return renewSoon.wake();
    if (found.ok || found.status.reason === 'NotFound') forget('its lease is gone, and so is the Node');
  }

  return {
    start(scope) {
      scope.defer(
        'link',
        link.listen((isOnline) => {
          if (!isOnline) return;
          // The cloud may have lost the Node, or given up on it, while nobody could tell us: say everything again.
          reported = undefined;
          lookSoon.wake();
          renewSoon.wake();
        }),
      );
      scope.spawn('node status', keepStatus);
      scope.spawn('node lease', keepLease);
    },
    lookNow: () => lookSoon.wake(),
  };
}
