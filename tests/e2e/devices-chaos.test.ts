// A counter whose every value has to reach the cloud, once and in order, while mapper, broker, edgecore and cloudcore are killed
// and their links are cut, or fall silent, at random moments. Meanwhile an application sets twins over MQTT, each once: all that
// it was told are stored have to reach the cloud too. KEDGE_SEED=n runs the same again, KEDGE_CHAOS_SECONDS=n goes on for longer.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { hasMosquitto, type Mosquitto, startMosquitto } from '@kedge/testing/mosquitto';
import { type CuttableLink, startLink } from './harness/cuttable-link.ts';
import {
  createMapperProcess,
  type LineDevice,
  type MapperProcess,
  type ReadSample,
  readSamples,
  startLineDevice,
} from './harness/devices.ts';
import { tracesOf } from './harness/host-traces.ts';
import { type MqttApplication, startMqttApplication } from './harness/mqtt-application.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';
import { seeded } from './harness/seeded.ts';

const everybody = ['mapper', 'edgecore', 'cloudcore', 'cloud link', 'cloud silence', 'mapper link', 'broker'] as const;
type Victim = (typeof everybody)[number];
const victims = everybody.filter((victim) => victim !== 'broker' || hasMosquitto);

/** An unanswered report fails at the edge after this: so that some do while the link is silent. */
const answerSeconds = 2;

const manifest = (node: string, port: number, marks: readonly string[]): string => `
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: { name: counter, namespace: default }
spec:
  protocol: counter
  properties:
    - { name: count, type: INT, accessMode: ReadOnly }
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: { name: counter, namespace: default, annotations: { devices.kedge.io/deliver-samples: "*" } }
spec:
  deviceModelRef: { name: counter }
  nodeName: ${node}
  protocol: { protocolName: counter, configData: { host: 127.0.0.1, port: ${port} } }
  properties:
    - name: count
      collectCycle: 20
      reportToCloud: true
      visitors: { protocolName: counter, configData: { name: count } }
---
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: { name: board, namespace: default }
spec:
  protocol: none
  properties: [${marks.map((name) => `{ name: ${name}, type: STRING }`).join(', ')}]
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: { name: board, namespace: default }
spec:
  deviceModelRef: { name: board }
  nodeName: ${node}
  protocol: { protocolName: none, configData: {} }
  properties: [${marks.map((name) => `{ name: ${name} }`).join(', ')}]
`;

interface Board {
  readonly status?: {
    readonly twins?: { readonly propertyName: string; readonly reported?: { readonly value: string } }[];
  };
}

describe('every sample through chaos', () => {
  const seed = Number(process.env['KEDGE_SEED'] ?? 20_261_127);
  const lastsMs = Number(process.env['KEDGE_CHAOS_SECONDS'] ?? 25) * 1_000;
  const random = seeded(seed);
  /** What the application sets; more than it can. */
  const marks = Array.from({ length: lastsMs / 100 }, (_, n) => `mark-${n + 1}`);
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  /** What each life of the mapper has read, in order. */
  const lives: number[][] = [];
  let count = 0;
  let isCounting = true;
  let parts: Parts;
  let links: Record<'cloud link' | 'mapper link', CuttableLink>;
  let device: LineDevice;
  let mapper: MapperProcess;
  let broker: Mosquitto | undefined;
  let application: MqttApplication | undefined;
  const ends: (() => unknown)[] = [];

  function startMapper(): void {
    lives.push([]);
    mapper.start();
  }

  before(async () => {
    broker = hasMosquitto ? await startMosquitto({ after: (end) => void ends.push(end as () => unknown) }) : undefined;
    const url = `tcp://127.0.0.1:${broker?.port ?? 0}`;
    parts = await createParts('chaos', {
      edgeModules: {
        metaManager: { remoteQueryTimeout: answerSeconds },
        ...(broker ? { eventBus: { enable: true, mqttMode: 2, mqttServerExternal: url } } : {}),
      },
    });
    links = {
      'cloud link': await startLink({ host: '127.0.0.1', port: parts.hubPort }),
      'mapper link': await startLink({ path: parts.layout.edge.dmiSocket }, join(parts.layout.run, 'relay.sock')),
    };
    parts.routeEdgeThrough(links['cloud link'].port);
    const lifeOf = new Map<number, number[]>();
    device = await startLineDevice({
      get(_, connection) {
        if (!isCounting) return 'error the counter rests';
        // What a dead mapper has asked for may still be on its way: it belongs to the connection's life.
        if (!lifeOf.has(connection)) lifeOf.set(connection, lives.at(-1)!);
        lifeOf.get(connection)!.push((count += 1));
        return String(count);
      },
      set: () => undefined,
    });
    await parts.startAll();
    mapper = await createMapperProcess(parts, 'counter', {
      edgecoreSocket: join(parts.layout.run, 'relay.sock'),
      common: { keep_samples: 'always' },
    });
    await parts.kubectl.apply(manifest(parts.node, device.port, marks));
    startMapper();
    if (broker) application = startMqttApplication(url, 'default/board', marks);
  });

  after(async () => {
    await application?.stop();
    await mapper.end('SIGTERM');
    await device.close();
    for (const link of Object.values(links)) await link.close();
    await parts.remove();
    for (const end of ends.reverse()) await end();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  async function hit(victim: Victim): Promise<void> {
    const forMs = random() * 1_500;
    switch (victim) {
      case 'mapper':
        await mapper.end('SIGKILL');
        await pause(forMs);
        return startMapper();
      case 'cloud link':
      case 'mapper link':
        await links[victim].cut();
        await pause(forMs);
        return links[victim].mend();
      case 'cloud silence':
        // What is said meanwhile fails, and is lost when the link breaks: whoever forgets it then has lost it.
        links['cloud link'].hush();
        await pause(answerSeconds * 1_000 + 300 + forMs);
        await links['cloud link'].cut();
        return links['cloud link'].mend();
      case 'broker':
        await broker!.stop();
        await pause(forMs);
        return broker!.start();
      case 'edgecore':
      case 'cloudcore':
        await parts.end(victim, 'SIGKILL');
        await pause(forMs);
        return parts.start(victim);
    }
  }

  it(`loses none, keeps their order and repeats none (seed ${seed})`, { timeout: lastsMs * 2 + 120_000 }, async (t) => {
    await eventually('the first sample', async () => (await readSamples(parts, 'counter', 'count')).length > 0, 30_000);
    const began = Date.now();
    const hits: Victim[] = [];
    // Everybody once, in an order of the seed; then whoever it is.
    const first = victims.map((victim) => ({ victim, at: random() })).sort((a, b) => a.at - b.at);
    while (Date.now() - began < lastsMs) {
      const victim = first.pop()?.victim ?? victims[Math.floor(random() * victims.length)]!;
      // Now and then two at once.
      const others = random() < 0.3 ? victims.filter((one) => one !== victim) : [];
      const together = [victim, ...others.splice(Math.floor(random() * others.length), 1)];
      hits.push(...together);
      await pause(200 + random() * 1_200);
      await Promise.all(together.map(hit));
    }
    const lastLife = lives.at(-1)!;
    await eventually('the last mapper to read', async () => lastLife.length > 10, 45_000);
    isCounting = false;
    await application?.stop();
    const last = await eventually(
      'the last sample to arrive',
      async () => {
        const samples = await readSamples(parts, 'counter', 'count');
        return Number(samples.at(-1)?.value) === count && samples;
      },
      60_000,
    ).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${hits.join(', ')}\n${parts.logs()}\n--- mapper\n${mapper.log()}`, {
        cause: error,
      });
    });
    t.diagnostic(`seed ${seed}: ${last.length} of ${count} samples, ${lives.length} mappers, hits: ${hits.join(', ')}`);
    judge(last, hits);
    await eventually('the newest value in the API', async () => {
      const path = 'jsonpath={.status.twins[?(@.propertyName=="count")].reported.value}';
      return (await parts.kubectl('get', 'device', 'counter', '-o', path)) === String(count);
    });
    if (application) await judgeApplication(application, t, hits);
  });

  async function judgeApplication(
    { stored, astray, reads }: MqttApplication,
    t: TestContext,
    hits: readonly Victim[],
  ): Promise<void> {
    const say = `seed ${seed}, hits: ${hits.join(', ')}`;
    t.diagnostic(`${stored.size} twins were set over MQTT, and read back ${reads} times`);
    assert.ok(stored.size > lastsMs / 1_000 && reads > 3, `${stored.size} twins, ${reads} reads; ${say}`);
    assert.deepEqual(astray, [], say);
    let lost: string[] = [];
    await eventually(
      'every twin that was set over MQTT in the API',
      async () => {
        const board = await parts.kubectl.json<Board>('get', 'device', 'board');
        const twins = new Map(
          board.status?.twins?.map(({ propertyName, reported }) => [propertyName, reported?.value]),
        );
        lost = [...stored].filter(([property, value]) => twins.get(property) !== value).map(([property]) => property);
        return lost.length === 0;
      },
      30_000,
    ).catch((error: unknown) => {
      throw new Error(`lost: ${lost.join(', ')}; ${say}`, { cause: error });
    });
  }

  function judge(samples: readonly ReadSample[], hits: readonly Victim[]): void {
    const say = `seed ${seed}, hits: ${hits.join(', ')}`;
    for (const victim of victims) assert.ok(hits.includes(victim), `${victim} was never hit; ${say}`);
    assert.ok(samples.length > lastsMs / 500, `only ${samples.length} samples; ${say}`);
    const values = samples.map(({ value }) => Number(value));
    values.forEach((value, n) => {
      if (n > 0) assert.ok(value > values[n - 1]!, `${value} after ${values[n - 1]}: out of order or twice; ${say}`);
    });
    const stored = new Set(values);
    for (const [n, read] of lives.entries()) {
      const missing = read.filter((value) => !stored.has(value));
      // Each is on the mapper's disk as it comes: what dies with a mapper is the answer that it was waiting for.
      const dead = n < lives.length - 1 ? 1 : 0;
      assert.ok(missing.length <= dead, `${missing.join(', ')} of what mapper ${n} read are missing; ${say}`);
      assert.deepEqual(missing, read.slice(read.length - missing.length), `a gap in what mapper ${n} read; ${say}`);
    }
  }
});
