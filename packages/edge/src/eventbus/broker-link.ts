// Stays connected to the broker: dials again with back-off, subscribes anew each time, and keeps what is to be published
// meanwhile, within bounds. What the broker has not acknowledged when a connection breaks is sent again on the next.
import { explain } from '@kedge/core/errors';
import { createBackoff, orAbort, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import {
  type Mqtt,
  type MqttConnection,
  type MqttConnectOptions,
  mqttErrors,
  type MqttMessage,
  type MqttPublish,
  type Random,
} from '@kedge/core/ports';
import { type Clock, seconds } from '@kedge/core/time';

export interface BrokerLinkDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly mqtt: Mqtt;
  /** Asked before each try, so that new certificates are used. */
  readonly broker: () => Promise<Pick<MqttConnectOptions, 'url' | 'clientId' | 'credentials' | 'tls'>>;
  readonly filters: readonly string[];
  /** More of them, asked for on each connection. Those that the broker refuses are done without. */
  readonly moreFilters?: () => readonly string[];
  /** Of what is published. */
  readonly retain?: boolean;
  readonly onMessage: (message: MqttMessage) => Promise<void>;
  readonly limit?: { readonly messages: number; readonly bytes: number };
}

export interface BrokerLink {
  /** Never waits; of too many the oldest go. */
  publish(topic: string, payload: string): void;
  /** What `moreFilters` has had added, or has lost. */
  changed(filter: string, isOn: boolean): void;
  readonly isOnline: boolean;
  /** Until aborted. */
  run(signal: AbortSignal): Promise<void>;
}

const dialTimeoutMs = 10_000;
/** Unacknowledged at once. */
const window = 32;
/** How often one message may break a connection. */
const patience = 3;
const manyMessages = { messages: 2_000, bytes: 4 << 20 };

export function createBrokerLink(deps: BrokerLinkDeps): BrokerLink {
  const { clock, log, random, filters, onMessage, retain = false, limit = manyMessages } = deps;
  const work = new Wakeup();
  const waiting: MqttPublish[] = [];
  let bytes = 0;
  let dropped = 0;
  let isOnline = false;
  let complaint: string | undefined;
  let open: MqttConnection | undefined;

  const sizeOf = ({ topic, payload }: MqttPublish): number => topic.length + payload.length;
  /** Given to the broker, and not yet acknowledged; the head of `waiting`. */
  let inFlight = 0;
  /** Connections in a row that broke before a message was acknowledged. */
  let breaks = 0;

  /** A broker may hang up because of the message, its size for one: such a one must not block the others for ever. */
  function forgiveOrDrop(): void {
    if (inFlight > 0 && (breaks += 1) > patience) {
      const [worst] = waiting.splice(0, 1);
      bytes -= sizeOf(worst!);
      breaks = 0;
      log.warn('a message for MQTT clients was dropped: the broker hangs up on it', { name: worst!.topic });
    }
    inFlight = 0;
  }

  function bound(): void {
    while (waiting.length > inFlight && (waiting.length > limit.messages || bytes > limit.bytes)) {
      const [oldest] = waiting.splice(inFlight, 1);
      bytes -= sizeOf(oldest!);
      dropped += 1;
    }
  }

  async function send(connection: MqttConnection, signal: AbortSignal): Promise<never> {
    for (;;) {
      while (waiting.length > 0) {
        const batch = waiting.slice(0, breaks === 0 ? window : 1);
        inFlight = batch.length;
        await Promise.all(batch.map((message) => connection.publish(message)));
        inFlight = 0;
        breaks = 0;
        for (const message of waiting.splice(0, batch.length)) bytes -= sizeOf(message);
      }
      await work.wait(signal);
    }
  }

  async function subscribeMore(connection: MqttConnection, filters: readonly string[]): Promise<void> {
    for (const filter of filters) {
      await connection.subscribe([filter], 1).catch((error: unknown) => {
        if (!mqttErrors.SUBSCRIPTION_REFUSED.is(error)) throw error;
        log.warn('the MQTT broker refuses a topic of a rule', { name: filter });
      });
    }
  }

  /** Resolves with why it ended. */
  async function session(signal: AbortSignal, onOpen: () => void): Promise<string> {
    const broker = await deps.broker();
    const connection = await deps.mqtt.connect({ ...broker, timeoutMs: dialTimeoutMs, onMessage, signal });
    const ended = new AbortController();
    try {
      await orAbort(connection.subscribe(filters, 1), signal);
      open = connection;
      await orAbort(subscribeMore(connection, deps.moreFilters?.() ?? []), signal);
      onOpen();
      const sending = send(connection, AbortSignal.any([signal, ended.signal])).catch(explain);
      const reason = await orAbort(Promise.race([connection.closed, sending]), signal);
      ended.abort(new Error('the connection ended'));
      await sending;
      return reason;
    } finally {
      ended.abort(new Error('the connection ended'));
      if (!signal.aborted) forgiveOrDrop();
      isOnline = false;
      open = undefined;
      await connection.close();
    }
  }

  return {
    get isOnline() {
      return isOnline;
    },
    publish(topic, payload) {
      const message: MqttPublish = { topic, payload, qos: 1, retain };
      waiting.push(message);
      bytes += sizeOf(message);
      bound();
      work.wake();
    },
    changed(filter, isOn) {
      // What fails here ends the connection, and the next one asks for all of them.
      const done = !open ? undefined : isOn ? subscribeMore(open, [filter]) : open.unsubscribe([filter]);
      done?.catch((error: unknown) => log.debug('a topic of a rule', { name: filter, reason: explain(error) }));
    },
    async run(signal) {
      const backoff = createBackoff({
        first: seconds(1),
        max: seconds(30),
        jitter: 0.5,
        random: () => random.next(),
      });
      while (!signal.aborted) {
        const why = await session(signal, () => {
          backoff.reset();
          isOnline = true;
          complaint = undefined;
          log.info('connected to the MQTT broker');
          if (dropped > 0) log.warn('messages for MQTT clients were dropped: the broker was away', { count: dropped });
          dropped = 0;
        }).catch((error: unknown) => explain(error));
        if (signal.aborted) return;
        const wait = backoff.next();
        // Once per reason: a broker that is not there is no news every half a minute.
        if (why !== complaint) log.warn('no MQTT broker', { reason: why, retryInMs: wait });
        complaint = why;
        await clock.sleep('redial the MQTT broker', wait, signal).catch(() => undefined);
      }
    },
  };
}
