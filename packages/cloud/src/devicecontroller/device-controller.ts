// DeviceController: sends devices and their models to the nodes that have them, and keeps what edges report of them.
import type { Informer } from '@kedge/core/control';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import type { Random } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { fail, type KubeObject, type NodeName } from '@kedge/model/k8s';
import type { Node } from '@kedge/model/k8s-types';
import { deviceId, readDevice } from '@kedge/model/kubeedge';
import { createDeviceSync } from './down/device-sync.ts';
import { findStatusPlace } from './find-status-place.ts';
import type { Answer, DeviceHandlers } from './handlers.ts';
import type { SampleStore } from './samples/sample-store.ts';
import type { DeviceSink } from './sink.ts';
import { createStatusWriter, type StatusLimits, type StatusPlace } from './up/status-writer.ts';

export interface DeviceControllerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly kube: KubeApi;
  readonly devices: Informer<KubeObject>;
  readonly models: Informer<KubeObject>;
  readonly statuses: Informer<KubeObject>;
  readonly nodes: Informer<Node>;
  readonly sink: DeviceSink;
  /** Undefined: no samples are kept, and edges keep theirs. */
  readonly samples: SampleStore | undefined;
}

export interface DeviceControllerConfig {
  readonly limits: StatusLimits;
}

export interface DeviceController extends Module {
  readonly handlers: DeviceHandlers;
  /** Whether the node is to have the Device or DeviceModel. */
  uses(node: NodeName, type: string, namespace: string, name: string): boolean;
  /** A node connected: whatever it lacks is sent. */
  check(node: NodeName): void;
  /** A node may have lost its store. */
  distrusted(node: NodeName): void;
}

export function createDeviceController(deps: DeviceControllerDeps, config: DeviceControllerConfig): DeviceController {
  const { clock, random, kube, devices, models, nodes, statuses, sink, samples } = deps;
  const log = deps.log.child({ module: 'devicecontroller' });
  let place: StatusPlace | undefined;
  const sync = createDeviceSync({ random, devices, models, sink });
  const status = createStatusWriter({
    clock,
    log,
    kube,
    metrics: deps.metrics,
    devices,
    models,
    nodes,
    devicesOf: (node) => sync.devicesOf(node),
    statuses,
    place: () => place!,
    limits: config.limits,
  });
  /** Until the copies are complete a device may only seem not to be there. */
  const requireReady = (): void => {
    if (!place) throw fail('ServiceUnavailable', 'cloudcore is still reading the devices');
  };
  const propertiesOf = (device: { spec?: { properties?: { name?: string }[] } }): ReadonlySet<string> =>
    new Set((device.spec?.properties ?? []).map(({ name = '' }) => name));

  const handlers: DeviceHandlers = {
    async 'twin.report'(node, { device: name, twins }, signal): Promise<Answer> {
      requireReady();
      const merge: Parameters<typeof status.report>[2] = (record, device) =>
        record.merge(twins, propertiesOf(device), clock.now());
      return { outcome: await status.report(node, name, merge, signal) };
    },
    async 'device.state'(node, { device: name, state, lastOnlineTime, reportedAt }, signal): Promise<Answer> {
      requireReady();
      const set: Parameters<typeof status.report>[2] = (record) => record.setState(state, lastOnlineTime, reportedAt);
      return { outcome: await status.report(node, name, set, signal) };
    },
    async 'device.conditions'(node, { device: name, conditions }, signal): Promise<Answer> {
      requireReady();
      return { outcome: await status.report(node, name, (record) => record.setConditions(conditions), signal) };
    },
    async 'samples.report'(node, message): Promise<Answer> {
      requireReady();
      if (!samples) throw fail('ServiceUnavailable', 'this cloudcore keeps no samples: give it a data directory');
      const key = deviceId(message.device);
      const device = devices.get(key);
      if (!device) throw fail('NotFound', `device "${key}" is not there`);
      if (readDevice(device).spec?.nodeName !== node)
        throw fail('Forbidden', `device "${key}" belongs to another node than "${node}"`);
      await samples.append(message);
      return { outcome: { ok: true, value: undefined } };
    },
    async 'membership.get'(node, { event }): Promise<Answer> {
      requireReady();
      sink.tell(node, { kind: 'membership.detail', event: eventIdOf(event), devices: sync.members(node) });
      return { outcome: { ok: true, value: undefined } };
    },
  };

  return {
    name: 'devicecontroller',
    handlers,
    uses: (node, type, namespace, name) => sync.uses(node, type, `${namespace}/${name}`),
    check(node) {
      if (!place) return;
      sync.sendAll(node);
      status.connected(node);
    },
    distrusted: (node) => status.distrusted(node),
    async start(scope) {
      const found = await findStatusPlace(kube, scope.signal);
      const copies = [devices, models, nodes, ...(found.on === 'Device' ? [] : [statuses])];
      await Promise.all(copies.map((copy) => copy.synced(scope.signal)));
      place = found;
      log.info('statuses of devices have their place', { kind: found.on });
      scope.defer('devices to their nodes', sync.listen());
      status.start(scope);
      samples?.start(scope);
    },
  };
}

/** DeviceTwin's question is a document of its own; the answer repeats its id. */
function eventIdOf(event: string | undefined): string {
  try {
    const { event_id: id } = JSON.parse(event ?? '') as { event_id?: unknown };
    return typeof id === 'string' ? id.slice(0, 128) : '';
  } catch {
    return '';
  }
}
