// What every Mqtt must do, against a broker that the suite can stop, start and cut.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { secret } from '@kedge/core/log';
import type { Mqtt, MqttConnection, MqttConnectOptions, MqttMessage } from '@kedge/core/ports';
import { withCode } from './expect-error.ts';

export interface MqttUnderTest {
  readonly mqtt: Mqtt;
  readonly url: string;
  /** The broker ends, and its connections with it. */
  stop(): Promise<void>;
}

export interface MqttStart {
  /** Only this user may connect. */
  readonly user?: { readonly username: string; readonly password: string };
}

const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);

export function describeMqtt(
  what: string,
  start: (t: TestContext, options: MqttStart) => Promise<MqttUnderTest>,
): void {
  async function place(t: TestContext, options: MqttStart = {}) {
    const under = await start(t, options);
    let serial = 0;
    async function connect(more: Partial<MqttConnectOptions> = {}) {
      const got: string[] = [];
      const waiting: { readonly count: number; readonly done: () => void }[] = [];
      const onMessage = async ({ topic, payload }: MqttMessage): Promise<void> => {
        got.push(`${topic} ${text(payload)}`);
        for (const { count, done } of waiting) if (got.length >= count) done();
      };
      const connection: MqttConnection = await under.mqtt.connect({
        url: under.url,
        clientId: `client-${(serial += 1)}`,
        timeoutMs: 5_000,
        onMessage,
        ...more,
      });
      t.after(() => connection.close());
      /** Resolves with the first `count` messages. */
      const messages = async (count: number): Promise<string[]> => {
        if (got.length < count) await new Promise<void>((done) => waiting.push({ count, done }));
        return got;
      };
      return { connection, got, messages };
    }
    return { ...under, connect };
  }

  describe(`mqtt: ${what}`, () => {
    test('messages go by their topics, in order, whatever is in them', async (t) => {
      const { connect } = await place(t);
      const [reader, writer] = [await connect(), await connect()];
      await reader.connection.subscribe(['a/+/c', 'x/#'], 1);
      await writer.connection.publish({ topic: 'a/b/d', payload: 'not asked for', qos: 1 });
      await writer.connection.publish({ topic: 'a/b/c', payload: 'Käse', qos: 1 });
      await writer.connection.publish({ topic: 'x/y/z', payload: new TextEncoder().encode('bytes'), qos: 0 });
      await writer.connection.publish({ topic: 'x', payload: '', qos: 1 });
      assert.deepEqual(await reader.messages(3), ['a/b/c Käse', 'x/y/z bytes', 'x ']);
    });

    test('what was published at once arrives in that order', async (t) => {
      const { connect } = await place(t);
      const [reader, writer] = [await connect(), await connect()];
      await reader.connection.subscribe(['n'], 1);
      const numbers = Array.from({ length: 100 }, (_, n) => String(n));
      await Promise.all(numbers.map((payload) => writer.connection.publish({ topic: 'n', payload, qos: 1 })));
      assert.deepEqual(
        await reader.messages(100),
        numbers.map((n) => `n ${n}`),
      );
    });

    test('a message waits for the one before it; one that fails is over', async (t) => {
      const { connect } = await place(t);
      const seen: string[] = [];
      const [first, all] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const reader = await connect({
        async onMessage({ payload }) {
          seen.push(`${text(payload)} in`);
          if (text(payload) === '1') {
            await first.promise;
            throw new Error('cannot');
          }
          if (text(payload) === '2') all.resolve();
        },
      });
      const writer = await connect();
      await reader.connection.subscribe(['n'], 1);
      for (const payload of ['1', '2']) await writer.connection.publish({ topic: 'n', payload, qos: 1 });
      // A question of the same connection would overtake, if anything could.
      await writer.connection.subscribe(['other'], 1);
      assert.ok(seen.length <= 1);
      first.resolve();
      await all.promise;
      assert.deepEqual(seen, ['1 in', '2 in']);
    });

    test('nothing comes any more of what was unsubscribed', async (t) => {
      const { connect } = await place(t);
      const [reader, writer] = [await connect(), await connect()];
      await reader.connection.subscribe(['a', 'b'], 1);
      await reader.connection.unsubscribe(['a']);
      await writer.connection.publish({ topic: 'a', payload: '1', qos: 1 });
      await writer.connection.publish({ topic: 'b', payload: '2', qos: 1 });
      assert.deepEqual(await reader.messages(1), ['b 2']);
    });

    test('a retained message meets whoever comes later', async (t) => {
      const { connect } = await place(t);
      const writer = await connect();
      await writer.connection.publish({ topic: 'r', payload: 'kept', qos: 1, retain: true });
      await writer.connection.publish({ topic: 'r', payload: 'not kept', qos: 1 });
      const reader = await connect();
      await reader.connection.subscribe(['r'], 1);
      assert.deepEqual(await reader.messages(1), ['r kept']);
    });

    test('a connection says when and why it ended, and is of no more use', async (t) => {
      const { connect, stop, mqtt, url } = await place(t);
      const { connection } = await connect();
      await stop();
      assert.notEqual(await connection.closed, '');
      await assert.rejects(connection.publish({ topic: 'a', payload: '', qos: 1 }), withCode('MQTT_CONNECTION_LOST'));
      await assert.rejects(connection.subscribe(['a'], 1), withCode('MQTT_CONNECTION_LOST'));
      await connection.close();
      const onMessage = async (): Promise<void> => undefined;
      await assert.rejects(
        mqtt.connect({ url, clientId: 'late', timeoutMs: 5_000, onMessage }),
        withCode('MQTT_CONNECT_FAILED'),
      );
    });

    test('closing sends first what was published', async (t) => {
      const { connect } = await place(t);
      const [reader, writer] = [await connect(), await connect()];
      await reader.connection.subscribe(['a'], 1);
      const published = writer.connection.publish({ topic: 'a', payload: 'last words', qos: 1 });
      await Promise.all([published, writer.connection.close()]);
      assert.deepEqual(await reader.messages(1), ['a last words']);
      assert.equal(await writer.connection.closed, 'closed by us');
    });

    test('a client with the same id takes over', async (t) => {
      const { connect } = await place(t);
      const first = await connect({ clientId: 'twin' });
      await connect({ clientId: 'twin' });
      await first.connection.closed;
    });

    test('user and password are checked', async (t) => {
      const { connect } = await place(t, { user: { username: 'edge', password: 'right' } });
      await connect({ credentials: { username: 'edge', password: secret('right') } });
      const wrong = { username: 'edge', password: secret('wrong') };
      await assert.rejects(connect({ credentials: wrong }), withCode('MQTT_REFUSED'));
      await assert.rejects(connect(), withCode('MQTT_REFUSED'));
    });

    test('what is no URL of a broker is refused', async (t) => {
      const { connect } = await place(t);
      for (const url of ['', 'http://localhost', 'broker:1883', 'tcp://']) {
        await assert.rejects(connect({ url }), withCode('MQTT_BAD_URL'));
      }
    });

    test('who no longer wants a connection gets none', async (t) => {
      const { connect } = await place(t);
      await assert.rejects(connect({ signal: AbortSignal.abort(new Error('never mind')) }), /never mind/);
    });
  });
}
