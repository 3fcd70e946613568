// What the broker inside still knows after a restart, in the edge's database. Changes are collected and written together:
// a topic that changes ten times a second costs the disk one write.
import { Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Database, MqttBrokerMemory, MqttRetained, MqttSession } from '@kedge/core/ports';
import { type Clock, seconds } from '@kedge/core/time';

export interface BrokerMemory extends MqttBrokerMemory {
  /** Writes until aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Writes what is left. */
  flush(): Promise<void>;
}

const collectFor = seconds(1);
/** Changes that wait for a disk that does not take them. */
const manyUnwritten = 10_000;

export function createBrokerMemory({ db, clock, log }: { db: Database; clock: Clock; log: Log }): BrokerMemory {
  const selectRetained = db.statement<{ topic: string; qos: number; payload: Uint8Array }>(
    'SELECT topic, qos, payload FROM mqtt_retained',
  );
  const putRetained = db.statement('INSERT OR REPLACE INTO mqtt_retained VALUES (?, ?, ?)');
  const removeRetained = db.statement('DELETE FROM mqtt_retained WHERE topic = ?');
  const selectSessions = db.statement<{ client: string; subscriptions: string }>(
    'SELECT client, subscriptions FROM mqtt_session',
  );
  const putSession = db.statement('INSERT OR REPLACE INTO mqtt_session VALUES (?, ?)');
  const removeSession = db.statement('DELETE FROM mqtt_session WHERE client = ?');
  /** Bounded by what the broker may keep at once, and by a second. */
  let retained = new Map<string, MqttRetained | undefined>();
  let sessions = new Map<string, MqttSession>();
  const changed = new Wakeup();

  async function write(): Promise<void> {
    const [messages, clients] = [retained, sessions];
    if (messages.size + clients.size === 0) return;
    [retained, sessions] = [new Map(), new Map()];
    try {
      await db.write(() => {
        for (const [topic, message] of messages) {
          if (message) putRetained.run(topic, message.qos, message.payload);
          else removeRetained.run(topic);
        }
        for (const [client, { subscriptions }] of clients) {
          if (subscriptions.length > 0) putSession.run(client, JSON.stringify(subscriptions));
          else removeSession.run(client);
        }
      });
    } catch (error) {
      const isMuch = messages.size + clients.size > manyUnwritten;
      log.warn('what the MQTT broker keeps is not on disk', { err: error, count: messages.size + clients.size });
      if (isMuch) return;
      // With the next change; what came meanwhile is newer.
      retained = new Map([...messages, ...retained]);
      sessions = new Map([...clients, ...sessions]);
    }
  }

  return {
    load: () => ({
      retained: selectRetained.all(),
      sessions: selectSessions.all().map(({ client, subscriptions }) => ({
        clientId: client,
        subscriptions: JSON.parse(subscriptions) as MqttSession['subscriptions'],
      })),
    }),
    retained(topic, message) {
      retained.set(topic, message);
      changed.wake();
    },
    session(session) {
      sessions.set(session.clientId, session);
      changed.wake();
    },
    async run(signal) {
      while (!signal.aborted) {
        await changed.wait(signal).catch(() => undefined);
        await clock.sleep('collect what the MQTT broker keeps', collectFor, signal).catch(() => undefined);
        await write();
      }
    },
    flush: write,
  };
}
