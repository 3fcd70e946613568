// What the broker inside still knows after a restart, in the edge's database. Changes are collected and written together: a topic
// that changes ten times a second costs the disk one write, and so do all messages of a few milliseconds that are waited for.
import { Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type {
  Database,
  MqttBrokerMemory,
  MqttRetained,
  MqttSession,
  MqttUnreleased,
  MqttWaiting,
  MqttWill,
} from '@kedge/core/ports';
import { type Clock, milliseconds, seconds } from '@kedge/core/time';

export interface BrokerMemory extends MqttBrokerMemory {
  /** Writes until aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Writes what is left. */
  flush(): Promise<void>;
}

/** What nobody waits for. */
const collectFor = seconds(1);
/** What somebody waits for: a publisher for its acknowledgement, say. */
const collectShortly = milliseconds(5);
/** Changes that wait for a disk that does not take them. */
const manyUnwritten = 10_000;

/** The newest of what has changed, by its key; undefined: it is gone. */
interface Changes {
  readonly retained: Map<string, MqttRetained | undefined>;
  readonly sessions: Map<string, MqttSession>;
  readonly waiting: Map<string, Waiting>;
  readonly unreleased: Map<string, MqttUnreleased & { readonly isSo: boolean }>;
  readonly wills: Map<string, MqttWill | undefined>;
}
type Waiting = Pick<MqttWaiting, 'clientId' | 'id'> & {
  readonly kept: { readonly message: MqttWaiting; readonly payload: Uint8Array } | undefined;
};

const none = (): Changes => ({
  retained: new Map(),
  sessions: new Map(),
  waiting: new Map(),
  unreleased: new Map(),
  wills: new Map(),
});
const countOf = (changes: Changes): number =>
  Object.values(changes).reduce((sum, { size }: { size: number }) => sum + size, 0);
/** Bounded by what the broker may keep at once, and by a second. */
const both = (older: Changes, newer: Changes): Changes => ({
  retained: new Map([...older.retained, ...newer.retained]),
  sessions: new Map([...older.sessions, ...newer.sessions]),
  waiting: new Map([...older.waiting, ...newer.waiting]),
  unreleased: new Map([...older.unreleased, ...newer.unreleased]),
  wills: new Map([...older.wills, ...newer.wills]),
});
const keyOf = (clientId: string, number: number): string => `${number} ${clientId}`;

export function createBrokerMemory({ db, clock, log }: { db: Database; clock: Clock; log: Log }): BrokerMemory {
  const sql = prepare(db);
  let changes = none();
  /** On their way to the disk. */
  let written = none();
  const changed = new Wakeup();
  let settling: Promise<void> | undefined;
  /** One after the other. */
  let writing = Promise.resolve();

  function store({ retained, sessions, waiting, unreleased, wills }: Changes): void {
    for (const [topic, message] of retained) {
      if (message) sql.putRetained.run(topic, message.qos, message.payload);
      else sql.removeRetained.run(topic);
    }
    for (const [client, { subscriptions }] of sessions) {
      if (subscriptions.length > 0) sql.putSession.run(client, JSON.stringify(subscriptions));
      else [sql.removeSession, sql.removeAllWaiting].forEach((remove) => remove.run(client));
    }
    for (const { clientId, id, kept } of waiting.values()) {
      if (!kept) sql.removeWaiting.run(clientId, id);
      else {
        const { topic, qos, at, packetId, isReceived } = kept.message;
        sql.putWaiting.run(clientId, id, topic, qos, at, packetId ?? null, isReceived ? 1 : 0, kept.payload);
      }
    }
    for (const { clientId, packetId, isSo } of unreleased.values()) {
      (isSo ? sql.putUnreleased : sql.removeUnreleased).run(clientId, packetId);
    }
    for (const [client, will] of wills) {
      if (will) sql.putWill.run(client, will.topic, will.qos, will.retain ? 1 : 0, will.payload);
      else sql.removeWill.run(client);
    }
  }

  async function writeChanges(): Promise<void> {
    const count = countOf(changes);
    if (count === 0) return;
    [written, changes] = [changes, none()];
    try {
      await db.write(() => store(written));
    } catch (error) {
      log.warn('what the MQTT broker keeps is not on disk', { err: error, count });
      // With the next change; what came meanwhile is newer.
      if (count <= manyUnwritten) changes = both(written, changes);
    }
    written = none();
  }
  const write = (): Promise<void> => (writing = writing.then(writeChanges));

  const change = (): void => changed.wake();
  const waitingOf = ({ clientId, id }: Pick<MqttWaiting, 'clientId' | 'id'>): Waiting | undefined =>
    changes.waiting.get(keyOf(clientId, id)) ?? written.waiting.get(keyOf(clientId, id));

  return {
    load: () => ({
      retained: sql.retained.all(),
      sessions: sql.sessions.all().map(({ client, subscriptions }) => ({
        clientId: client,
        subscriptions: JSON.parse(subscriptions) as MqttSession['subscriptions'],
      })),
      waiting: sql.waiting.all().map(({ packet, isReceived, ...message }) => ({
        ...message,
        packetId: packet ?? undefined,
        isReceived: isReceived === 1,
      })),
      unreleased: sql.unreleased.all(),
      wills: sql.wills
        .all()
        .map(({ clientId, retain, ...will }) => ({ clientId, will: { ...will, retain: retain === 1 } })),
    }),
    retained(topic, message) {
      changes.retained.set(topic, message);
      change();
    },
    session(session) {
      changes.sessions.set(session.clientId, session);
      if (session.subscriptions.length === 0) {
        for (const [key, { clientId }] of changes.waiting)
          if (clientId === session.clientId) changes.waiting.delete(key);
      }
      change();
    },
    waiting(message, payload) {
      const { clientId, id } = message;
      changes.waiting.set(keyOf(clientId, id), { clientId, id, kept: { message, payload } });
      change();
    },
    delivered({ clientId, id }) {
      changes.waiting.set(keyOf(clientId, id), { clientId, id, kept: undefined });
      change();
    },
    payload(message) {
      const unwritten = waitingOf(message);
      if (unwritten) return unwritten.kept?.payload;
      return sql.payload.get(message.clientId, message.id)?.payload;
    },
    unreleased(message, isSo) {
      changes.unreleased.set(keyOf(message.clientId, message.packetId), { ...message, isSo });
      change();
    },
    will(clientId, will) {
      changes.wills.set(clientId, will);
      change();
    },
    settled() {
      // Who comes while the others wait is written with them; who comes while they are written waits for the next time.
      settling ??= (async () => {
        await clock.sleep('collect what MQTT clients wait for', collectShortly);
        settling = undefined;
        await write();
      })();
      return settling;
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

function prepare(db: Database) {
  return {
    retained: db.statement<MqttRetained>('SELECT topic, qos, payload FROM mqtt_retained'),
    putRetained: db.statement('INSERT OR REPLACE INTO mqtt_retained VALUES (?, ?, ?)'),
    removeRetained: db.statement('DELETE FROM mqtt_retained WHERE topic = ?'),
    sessions: db.statement<{ client: string; subscriptions: string }>('SELECT client, subscriptions FROM mqtt_session'),
    putSession: db.statement('INSERT OR REPLACE INTO mqtt_session VALUES (?, ?)'),
    removeSession: db.statement('DELETE FROM mqtt_session WHERE client = ?'),
    // Without payloads: those are read when their client comes.
    waiting: db.statement<
      Omit<MqttWaiting, 'packetId' | 'isReceived'> & { readonly packet: number | null; readonly isReceived: number }
    >(
      `SELECT client AS clientId, id, topic, qos, at, packet, is_received AS isReceived,
         length(CAST(topic AS BLOB)) + length(payload) AS size FROM mqtt_waiting ORDER BY client, id`,
    ),
    payload: db.statement<{ payload: Uint8Array }>('SELECT payload FROM mqtt_waiting WHERE client = ? AND id = ?'),
    putWaiting: db.statement('INSERT OR REPLACE INTO mqtt_waiting VALUES (?, ?, ?, ?, ?, ?, ?, ?)'),
    removeWaiting: db.statement('DELETE FROM mqtt_waiting WHERE client = ? AND id = ?'),
    removeAllWaiting: db.statement('DELETE FROM mqtt_waiting WHERE client = ?'),
    unreleased: db.statement<MqttUnreleased>('SELECT client AS clientId, packet AS packetId FROM mqtt_unreleased'),
    putUnreleased: db.statement('INSERT OR IGNORE INTO mqtt_unreleased VALUES (?, ?)'),
    removeUnreleased: db.statement('DELETE FROM mqtt_unreleased WHERE client = ? AND packet = ?'),
    wills: db.statement<Omit<MqttWill, 'retain'> & { readonly clientId: string; readonly retain: number }>(
      'SELECT client AS clientId, topic, qos, retain, payload FROM mqtt_will',
    ),
    putWill: db.statement('INSERT OR REPLACE INTO mqtt_will VALUES (?, ?, ?, ?, ?)'),
    removeWill: db.statement('DELETE FROM mqtt_will WHERE client = ?'),
  };
}
