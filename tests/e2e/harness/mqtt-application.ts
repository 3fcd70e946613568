// An application at the edge that speaks MQTT with edgecore. It sets twins of a device one after the other, each once it has
// heard that the last one is stored, and now and then reads all of them back. What is not answered it says again.
import type { MqttConnection } from '@kedge/core/ports';
import { createMqtt } from '@kedge/platform/mqtt';

export interface MqttApplication {
  /** What edgecore has said that it is stored, by property. */
  readonly stored: ReadonlyMap<string, string>;
  /** Twins that were read, and had another value than the one that was stored. */
  readonly astray: readonly string[];
  /** Answers to reading. */
  readonly reads: number;
  stop(): Promise<void>;
}

interface Answer {
  readonly event_id?: string;
  readonly code?: number;
  readonly twin?: Readonly<Record<string, { readonly actual?: { readonly value?: string } } | null>>;
}

const patienceMs = 1_000;
const restMs = 100;
const readEvery = 4;

/** Sets each of the properties once. */
export function startMqttApplication(url: string, device: string, properties: readonly string[]): MqttApplication {
  const base = `$hw/events/device/${device}`;
  const stored = new Map<string, string>();
  const astray: string[] = [];
  const mqtt = createMqtt();
  let reads = 0;
  let events = 0;
  let isDone = false;
  let connection: MqttConnection | undefined;
  const waiting = new Map<string, (answer: Answer) => void>();
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  async function connect(): Promise<MqttConnection> {
    const opened = await mqtt.connect({
      url,
      clientId: 'application',
      timeoutMs: patienceMs,
      async onMessage({ payload }) {
        const answer = JSON.parse(new TextDecoder().decode(payload)) as Answer;
        waiting.get(answer.event_id ?? '')?.(answer);
      },
    });
    void opened.closed.then(() => {
      if (connection === opened) connection = undefined;
    });
    await opened.subscribe([`${base}/twin/update/result`, `${base}/twin/get/result`], 1);
    return opened;
  }

  /** Undefined: nobody answered. */
  async function ask(topic: 'get' | 'update', body: object): Promise<Answer | undefined> {
    const event = `e${(events += 1)}`;
    try {
      connection ??= await connect();
      const answered = new Promise<Answer>((resolve) => waiting.set(event, resolve));
      const payload = JSON.stringify({ event_id: event, timestamp: 0, ...body });
      await connection.publish({ topic: `${base}/twin/${topic}`, payload, qos: 1 });
      return await Promise.race([answered, pause(patienceMs).then(() => undefined)]);
    } catch {
      await pause(restMs);
      return undefined;
    } finally {
      waiting.delete(event);
    }
  }

  async function readBack(): Promise<void> {
    const known = [...stored];
    const answer = await ask('get', {});
    if (!answer?.twin) return;
    reads += 1;
    for (const [property, value] of known) {
      const read = answer.twin[property]?.actual?.value;
      if (read !== value) astray.push(`${property} is ${read ?? 'not there'}, not ${value}`);
    }
  }

  const running = (async () => {
    for (let n = 0; !isDone;) {
      const property = properties[n];
      const value = String(n * 7);
      if (property === undefined) await readBack();
      else {
        const answer = await ask('update', { twin: { [property]: { actual: { value } } } });
        if (answer && answer.code === undefined) {
          stored.set(property, value);
          n += 1;
          if (n % readEvery === 0) await readBack();
        }
      }
      await pause(restMs);
    }
    await readBack();
  })();

  return {
    stored,
    astray,
    get reads() {
      return reads;
    },
    async stop() {
      isDone = true;
      await running;
      await connection?.close();
    },
  };
}
