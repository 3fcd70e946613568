// Devices that report while cloudcore dies, links break, writes fail and edges repeat what they heard no answer to, in any
// order: whatever is confirmed is in the API or was followed by something newer, and at the end every device shows what it
// said last. Random, but the same for the same seed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { milliseconds, seconds } from '@kedge/core/time';
import type { Device } from '@kedge/model/kubeedge';
import type { RawMessage } from '@kedge/model/messages';
import { api, type CloudRig, edgeNode, type FakeEdge, settle, startCloud } from './cloud-rig.ts';

const devices = api('devices', 'devices.kubeedge.io', 'v1beta1');
const names = ['a', 'b'];
const properties = ['p', 'q'];
const configOf = (burst: number) => ({
  limits: { perDevice: { interval: seconds(1), burst }, total: { perSecond: 5, burst: 2 }, refresh: seconds(10) },
  samples: undefined,
});

type Step =
  | { readonly do: 'report'; readonly name: string; readonly property: string; readonly times: number }
  | { readonly do: 'repeat'; readonly which: number }
  | { readonly do: 'crash' | 'cut' | 'fail' | 'set-clock-back' }
  | { readonly do: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('report' as const),
      name: fc.constantFrom(...names),
      property: fc.constantFrom(...properties),
      times: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repeat' as const), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('crash', 'cut', 'fail', 'set-clock-back') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 3_000 }) }) },
) as fc.Arbitrary<Step>;

/** Keeps what is not confirmed, as upstream's DeviceTwin does, and says it again after every connect. */
class Edge {
  /** By id, in no order that means anything. */
  readonly unconfirmed = new Map<string, RawMessage>();
  readonly last = new Map<string, number>();
  readonly #versions = new Map<string, number>();
  #link: FakeEdge | undefined;
  #heard = 0;
  #serial = 0;
  #clock = 1_000_000;

  setClockBack(): void {
    this.#clock -= 5_000;
  }

  async connect(cloud: CloudRig, order: (count: number) => number): Promise<void> {
    this.#link?.socket.terminate();
    this.#link = cloud.dial('e1');
    this.#heard = 0;
    const again = [...this.unconfirmed.values()];
    while (again.length > 0) await this.send(again.splice(order(again.length), 1)[0]!);
  }

  async report(name: string, property: string): Promise<void> {
    const key = `${name}/${property}`;
    const version = (this.#versions.get(key) ?? 0) + 1;
    this.#versions.set(key, version);
    this.last.set(key, version);
    this.#clock += 10;
    const id = `r${++this.#serial}`;
    const twin = {
      [property]: {
        actual: { value: String(version), metadata: { timestamp: this.#clock } },
        metadata: { type: 'int' },
        actual_version: { cloud: 0, edge: version },
      },
    };
    const message: RawMessage = {
      header: { msg_id: id, timestamp: this.#clock },
      route: {
        source: 'twin',
        group: 'resource',
        operation: 'update',
        resource: `device/default/${name}/twin/edge_updated`,
      },
      content: { event_id: id, timestamp: this.#clock, twin },
    };
    this.unconfirmed.set(id, message);
    await this.send(message);
  }

  async send(message: RawMessage): Promise<void> {
    if (this.#link && !this.#link.isClosed()) await this.#link.send(message).catch(() => undefined);
  }

  /** What has been confirmed since the last look. */
  confirmed(): RawMessage[] {
    const received = this.#link?.received ?? [];
    const news = received.slice(this.#heard);
    this.#heard = received.length;
    return news.flatMap(({ header: { parent_msg_id: id = '' } }) => {
      const report = this.unconfirmed.get(id);
      this.unconfirmed.delete(id);
      return report ? [report] : [];
    });
  }

  keepAlive(cloud: CloudRig): Promise<void> {
    return this.#link && !this.#link.isClosed() ? cloud.keepAlive(this.#link) : Promise.resolve();
  }
}

async function shown(cloud: CloudRig): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const { metadata, status } of (await cloud.kube.list(devices)).items as Device[]) {
    for (const { propertyName, reported } of status?.twins ?? []) {
      if (reported?.value) found.set(`${metadata.name}/${propertyName}`, Number(reported.value));
    }
  }
  return found;
}

async function requireDurable(cloud: CloudRig, edge: Edge): Promise<void> {
  const values = await shown(cloud);
  for (const { route, content } of edge.confirmed()) {
    const [, , name] = (route.resource ?? '').split('/');
    const { twin } = content as { twin: Record<string, { actual: { value: string } }> };
    for (const [property, { actual }] of Object.entries(twin)) {
      const value = values.get(`${name}/${property}`) ?? 0;
      assert.ok(
        value >= Number(actual.value),
        `${name}/${property}: ${actual.value} was confirmed, ${value} is stored`,
      );
    }
  }
}

test(
  'whatever is confirmed is stored, and the newest value of every device is shown after any trouble',
  { timeout: 120_000 },
  async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 30 }),
        fc.infiniteStream(fc.nat()),
        fc.constantFrom(1, 2, 5),
        async (steps, chance, burst) => {
          const config = configOf(burst);
          const order = (count: number): number => chance.next().value! % count;
          let cloud = await startCloud(t, { devices: config });
          const { clock, kube } = cloud;
          await kube.create(api('nodes'), undefined, edgeNode('e1'));
          for (const name of names) {
            await kube.create(devices, 'default', {
              apiVersion: 'devices.kubeedge.io/v1beta1',
              kind: 'Device',
              metadata: { name, namespace: 'default' },
              spec: {
                deviceModelRef: { name: 'm' },
                nodeName: 'e1',
                properties: properties.map((property) => ({ name: property })),
              },
            });
          }
          await settle();
          const edge = new Edge();
          await edge.connect(cloud, order);
          const past: RawMessage[] = [];
          for (const one of steps) {
            switch (one.do) {
              case 'report':
                for (let i = 0; i < one.times; i++) await edge.report(one.name, one.property);
                past.push(...edge.unconfirmed.values());
                break;
              case 'repeat':
                // Upstream repeats what it heard no answer to; the answer may be on its way.
                if (past.length > 0) await edge.send(past[one.which % past.length]!);
                break;
              case 'fail':
                kube.failNext('patch', 'devices', new Error('the API is away'));
                break;
              case 'set-clock-back':
                edge.setClockBack();
                break;
              case 'crash':
                await cloud.stop();
                cloud = await startCloud(t, { clock, kube, devices: config });
                await edge.connect(cloud, order);
                past.length = 0;
                break;
              case 'cut':
                await edge.connect(cloud, order);
                break;
              case 'wait':
                await settle();
                await clock.advance(milliseconds(one.ms));
                break;
            }
            await settle();
            await requireDurable(cloud, edge);
          }
          // After that long nothing an edge says is taken for a repetition.
          for (let i = 0; i < 16; i++) {
            await settle();
            await clock.advance(seconds(10));
            await edge.keepAlive(cloud);
            await settle();
            await requireDurable(cloud, edge);
          }
          assert.equal(edge.unconfirmed.size, 0, 'everything was confirmed');
          for (const name of names) for (const property of properties) await edge.report(name, property);
          await settle();
          await clock.advance(seconds(5));
          await settle();
          await requireDurable(cloud, edge);
          assert.deepEqual(new Map([...(await shown(cloud))].toSorted()), new Map([...edge.last].toSorted()));
          await cloud.stop();
        },
      ),
      { numRuns: 60, seed: 11 },
    );
  },
);
