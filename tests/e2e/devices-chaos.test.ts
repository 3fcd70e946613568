// A counter whose every value has to reach the cloud, once and in order, while mapper, edgecore and cloudcore are killed and
// their links are cut at random moments. KEDGE_SEED=n runs the same again, KEDGE_CHAOS_SECONDS=n goes on for longer.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
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
import { createParts, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';
import { seeded } from './harness/seeded.ts';

const victims = ['mapper', 'edgecore', 'cloudcore', 'cloud link', 'mapper link'] as const;
type Victim = (typeof victims)[number];

const counterManifest = (node: string, port: number): string => `
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
`;

/** What one life of the mapper has read, in order, and how many of them edgecore had confirmed when it was killed. */
interface Life {
  readonly read: number[];
  confirmed: number;
}

describe('every sample through chaos', () => {
  const seed = Number(process.env['KEDGE_SEED'] ?? 20_261_127);
  const lastsMs = Number(process.env['KEDGE_CHAOS_SECONDS'] ?? 25) * 1_000;
  const random = seeded(seed);
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const lives: Life[] = [];
  let count = 0;
  let isCounting = true;
  let parts: Parts;
  let links: Record<'cloud link' | 'mapper link', CuttableLink>;
  let device: LineDevice;
  let mapper: MapperProcess;

  function startMapper(): void {
    lives.push({ read: [], confirmed: 0 });
    mapper.start();
  }

  async function killMapper(): Promise<void> {
    lives.at(-1)!.confirmed = (await mapper.delivered()) ?? 0;
    await mapper.end('SIGKILL');
  }

  before(async () => {
    parts = await createParts('chaos');
    const directory = parts.layout.edge.directory;
    links = {
      'cloud link': await startLink({ host: '127.0.0.1', port: parts.hubPort }),
      'mapper link': await startLink({ path: join(directory, 'dmi.sock') }, join(parts.layout.run, 'relay.sock')),
    };
    parts.routeEdgeThrough(links['cloud link'].port);
    const lifeOf = new Map<number, Life>();
    device = await startLineDevice({
      get(_, connection) {
        if (!isCounting) return 'error the counter rests';
        // What a dead mapper has asked for may still be on its way: it belongs to the connection's life.
        if (!lifeOf.has(connection)) lifeOf.set(connection, lives.at(-1)!);
        lifeOf.get(connection)!.read.push((count += 1));
        return String(count);
      },
      set: () => undefined,
    });
    await parts.startAll();
    mapper = await createMapperProcess(parts, 'counter', join(parts.layout.run, 'relay.sock'));
    await parts.kubectl.apply(counterManifest(parts.node, device.port));
    startMapper();
  });

  after(async () => {
    await mapper.end('SIGTERM');
    await device.close();
    for (const link of Object.values(links)) await link.close();
    await parts.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  async function hit(victim: Victim): Promise<void> {
    const forMs = random() * 1_500;
    switch (victim) {
      case 'mapper':
        await killMapper();
        await pause(forMs);
        return startMapper();
      case 'cloud link':
      case 'mapper link':
        await links[victim].cut();
        await pause(forMs);
        return links[victim].mend();
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
    await eventually('the last mapper to read', async () => lastLife.read.length > 10, 45_000);
    isCounting = false;
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
    lastLife.confirmed = lastLife.read.length;
    t.diagnostic(`seed ${seed}: ${last.length} of ${count} samples, ${lives.length} mappers, hits: ${hits.join(', ')}`);
    judge(last, hits);
    await eventually('the newest value in the API', async () => {
      const path = 'jsonpath={.status.twins[?(@.propertyName=="count")].reported.value}';
      return (await parts.kubectl('get', 'device', 'counter', '-o', path)) === String(count);
    });
  });

  function judge(samples: readonly ReadSample[], hits: readonly Victim[]): void {
    const say = `seed ${seed}, hits: ${hits.join(', ')}`;
    for (const victim of victims) assert.ok(hits.includes(victim), `${victim} was never hit; ${say}`);
    assert.ok(samples.length > lastsMs / 500, `only ${samples.length} samples; ${say}`);
    const values = samples.map(({ value }) => Number(value));
    values.forEach((value, n) => {
      if (n > 0) assert.ok(value > values[n - 1]!, `${value} after ${values[n - 1]}: out of order or twice; ${say}`);
    });
    const stored = new Set(values);
    for (const [n, { read, confirmed }] of lives.entries()) {
      const missing = read.filter((value) => !stored.has(value));
      const arrived = read.length - missing.length;
      // What a mapper had not handed over when it was killed died with it: always its newest, never one in between.
      assert.deepEqual(missing, read.slice(arrived), `a gap in what mapper ${n} read; ${say}`);
      assert.ok(arrived >= confirmed, `mapper ${n}: ${confirmed} were confirmed, ${arrived} arrived; ${say}`);
    }
  }
});
