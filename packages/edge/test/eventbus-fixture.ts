// An edge's devices and its EventBus on a database in memory, and MQTT clients of the same broker.
import type { TestContext } from 'node:test';
import { createLog, type LogRecord } from '@kedge/core/log';
import { openScope } from '@kedge/core/flow';
import type { Mqtt, MqttConnection, MqttConnectOptions } from '@kedge/core/ports';
import { type Clock, hours, seconds } from '@kedge/core/time';
import { createDeviceTwin, type DeviceTwin } from '@kedge/edge/devicetwin';
import { createEventBus, type EventBus, type InsideBrokerConfig } from '@kedge/edge/eventbus';
import { edgeMigrations } from '@kedge/edge/metamanager';
import type { KubeObject } from '@kedge/model/k8s';
import { createMqttBrokers } from '@kedge/platform/mqtt-broker';
import { openDatabase } from '@kedge/platform/sqlite';
import { createMemoryFiles } from '@kedge/testing/files';

export const device = (name: string, namespace = 'default'): KubeObject =>
  ({
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'Device',
    metadata: { name, namespace, uid: `uid-${namespace}-${name}`, labels: { description: `the ${name}` } },
    spec: { deviceModelRef: { name: 'm' }, nodeName: 'edge-1', properties: [{ name: 'temperature' }] },
  }) as KubeObject;

export interface Heard {
  readonly topic: string;
  // oxlint-disable-next-line no-explicit-any -- documents of strangers
  readonly body: any;
}

export interface EdgeDevices {
  readonly twin: DeviceTwin;
  readonly logged: LogRecord[];
  readonly bus: EventBus;
  close(): Promise<void>;
  put(object: KubeObject): void;
  remove(object: KubeObject): void;
}

export interface EdgeDevicesOptions {
  readonly clock: Clock;
  readonly objects: KubeObject[];
  /** The external broker. */
  readonly mqtt?: Mqtt;
  readonly url?: string;
  readonly inside?: InsideBrokerConfig;
  /** Of the database; absent: in memory. */
  readonly path?: string;
}

export async function startEdgeDevices(
  t: TestContext,
  { clock, mqtt, url, objects, inside, path = ':memory:' }: EdgeDevicesOptions,
): Promise<EdgeDevices> {
  const db = openDatabase({ path, migrations: edgeMigrations, durability: 'normal' });
  const logged: LogRecord[] = [];
  const log = createLog({ now: () => clock.now(), level: 'info', write: (record) => logged.push(record) });
  const listeners = new Map<string, { onPut(object: KubeObject): void; onDelete(last: KubeObject): void }>();
  let serial = 0;
  const random = { next: () => 0.5, uuid: () => `id-${(serial += 1)}` };
  const twin = createDeviceTwin({
    history: { maxAge: hours(1), perProperty: 1_000, total: 10_000 },
    clock,
    log,
    random,
    db,
    objects: {
      list: (type) => (type === 'device' ? objects : []),
      listen(type, listener) {
        listeners.set(type, listener);
        return () => listeners.delete(type);
      },
    },
  });
  const bus = createEventBus(
    {
      clock,
      log,
      random,
      db,
      files: createMemoryFiles(),
      openMqtt: async () => mqtt!,
      openMqttBrokers: async () => createMqttBrokers({ log, now: () => clock.now() }),
      twins: twin,
    },
    { node: 'edge-1', ...(url === undefined ? {} : { broker: { url, clientId: 'kedge-edge-1' } }), inside },
  );
  const scope = openScope({ clock, name: 'edge' });
  await twin.start(scope);
  await bus.start(scope);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= scope.close(seconds(3)).then(() => db.close()));
  t.after(close);
  return {
    twin,
    logged,
    close,
    bus,
    put: (object) => listeners.get('device')?.onPut(object),
    remove: (object) => listeners.get('device')?.onDelete(object),
  };
}

export interface Application {
  readonly heard: Heard[];
  say(topic: string, body: unknown): Promise<void>;
  /** The next `count` answers, in order. */
  next(count: number): Promise<Heard[]>;
}

/** A client that hears everything below `$hw`, but what itself and others ask. */
export async function connectApplication(
  t: TestContext,
  mqtt: Mqtt,
  url: string,
  as: Partial<MqttConnectOptions> = {},
): Promise<Application> {
  const heard: Heard[] = [];
  let more = (): void => undefined;
  const connection: MqttConnection = await mqtt.connect({
    url,
    clientId: 'application',
    timeoutMs: 5_000,
    ...as,
    async onMessage({ topic, payload }) {
      if (/\/(?:get|update)$/.test(topic)) return;
      heard.push({ topic, body: JSON.parse(new TextDecoder().decode(payload)) });
      more();
    },
  });
  t.after(() => connection.close());
  await connection.subscribe(['$hw/#'], 1);
  return {
    heard,
    say: (topic, body) =>
      connection.publish({ topic, payload: typeof body === 'string' ? body : JSON.stringify(body), qos: 1 }),
    async next(count) {
      while (heard.length < count) await new Promise<void>((resolve) => (more = resolve));
      return heard.splice(0, count);
    },
  };
}
