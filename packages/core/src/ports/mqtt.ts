// A connection to an MQTT broker, as a port: one that ends when it breaks. Who wants to stay connected dials again.
import type { Secret } from '../log/index.ts';

/** 0: may get lost. 1: arrives, perhaps twice. */
export type MqttQos = 0 | 1;

export interface MqttMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export interface MqttPublish {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly qos: MqttQos;
  readonly retain?: boolean;
}

export interface MqttConnectOptions {
  /** `tcp://`, `mqtt://`, `ssl://`, `mqtts://`. */
  readonly url: string;
  readonly clientId: string;
  readonly credentials?: { readonly username: string; readonly password: Secret<string> };
  /** For `ssl://` and `mqtts://`; PEM. Absent: the broker's certificate is not checked. */
  readonly tls?: { readonly ca: string; readonly certificate?: string; readonly key?: string };
  readonly timeoutMs: number;
  /** The next message waits until this one is through; what it rejects with is nobody's. */
  readonly onMessage: (message: MqttMessage) => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface MqttConnection {
  /** Resolves once the broker has agreed; throws MQTT_SUBSCRIPTION_REFUSED or MQTT_CONNECTION_LOST. */
  subscribe(filters: readonly string[], qos: MqttQos): Promise<void>;
  unsubscribe(filters: readonly string[]): Promise<void>;
  /** Resolves once the broker has it (QoS 1), or once it is on its way (QoS 0); throws MQTT_CONNECTION_LOST. */
  publish(message: MqttPublish): Promise<void>;
  /** Says goodbye; what was published before is sent first. */
  close(): Promise<void>;
  /** Settles when the connection has ended, with the reason; it never rejects. */
  readonly closed: Promise<string>;
}

export interface Mqtt {
  /** A session that starts afresh. Throws MQTT_CONNECT_FAILED, MQTT_REFUSED, MQTT_UNTRUSTED_BROKER, MQTT_BAD_URL or MQTT_BAD_TLS. */
  connect(options: MqttConnectOptions): Promise<MqttConnection>;
}

/** Bounds of a broker: what clients may make it keep. */
export interface MqttBrokerLimits {
  /** Connected at once; as many sessions of absent clients are kept. */
  readonly clients: number;
  readonly packetBytes: number;
  readonly subscriptionsPerClient: number;
  /** Messages that wait for one session; of too many the oldest go. */
  readonly queuedPerSession: number;
  /** What waits for all sessions together. */
  readonly queuedBytes: number;
  readonly retained: number;
  readonly retainedBytes: number;
}

/** A session that outlives its connection. */
export interface MqttSession {
  readonly clientId: string;
  readonly subscriptions: readonly { readonly filter: string; readonly qos: number }[];
}

export interface MqttRetained {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: number;
}

/** What a broker still knows after a restart. Writing never waits and never fails. */
export interface MqttBrokerMemory {
  load(): { readonly retained: readonly MqttRetained[]; readonly sessions: readonly MqttSession[] };
  /** Undefined: nothing is retained there any more. */
  retained(topic: string, message: MqttRetained | undefined): void;
  /** Without subscriptions: the session has ended. */
  session(session: MqttSession): void;
}

export interface MqttBrokerOptions {
  readonly address: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** PEM. With `clientCa` clients have to show a certificate that it has signed. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientCa?: string };
  /** Absent: everybody who reaches the port may connect. */
  readonly credentials?: { readonly username: string; readonly password: Secret<string> };
  readonly limits: MqttBrokerLimits;
  readonly memory?: MqttBrokerMemory;
}

/** A broker in this process. Its `connect` takes no network, and only its own `url`; the rest is as with any broker. */
export interface MqttBroker extends Mqtt {
  readonly url: string;
  readonly port: number;
  /** What counts for new connections; whether clients have to show a certificate stays as it was. */
  renew(tls: NonNullable<MqttBrokerOptions['tls']>): void;
  /** Its connections end with it. */
  close(): Promise<void>;
}

export interface MqttBrokers {
  /** Throws MQTT_LISTEN_FAILED or MQTT_BAD_TLS. */
  open(options: MqttBrokerOptions): Promise<MqttBroker>;
}
