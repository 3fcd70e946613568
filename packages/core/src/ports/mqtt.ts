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
  /** Milliseconds that a message waits for a session that is away; then it goes. */
  readonly queuedFor: number;
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

/** A message that waits for one session. The larger `id`, the later it came. */
export interface MqttWaiting {
  readonly clientId: string;
  readonly id: number;
  readonly topic: string;
  readonly qos: number;
  /** Bytes of topic and payload. */
  readonly size: number;
  /** Unix milliseconds. */
  readonly at: number;
  /** QoS 2: the packet id it was sent with. */
  readonly packetId: number | undefined;
  /** QoS 2: the client has it, and has not been told that we know. */
  readonly isReceived: boolean;
}

/** What a client wants to be said when it goes without saying goodbye. */
export interface MqttWill extends MqttRetained {
  readonly retain: boolean;
}

/** A QoS 2 message that a client has published and not released. */
export interface MqttUnreleased {
  readonly clientId: string;
  readonly packetId: number;
}

/** What a broker still knows after a restart. Nothing here fails; only `settled` waits. */
export interface MqttBrokerMemory {
  load(): {
    readonly retained: readonly MqttRetained[];
    readonly sessions: readonly MqttSession[];
    /** By client, the oldest first. */
    readonly waiting: readonly MqttWaiting[];
    readonly unreleased: readonly MqttUnreleased[];
    readonly wills: readonly { readonly clientId: string; readonly will: MqttWill }[];
  };
  /** Undefined: nothing is retained there any more. */
  retained(topic: string, message: MqttRetained | undefined): void;
  /** Without subscriptions: the session has ended, and nothing waits for it any more. */
  session(session: MqttSession): void;
  waiting(message: MqttWaiting, payload: Uint8Array): void;
  /** The client has it, or it had to make room. */
  delivered(message: Pick<MqttWaiting, 'clientId' | 'id'>): void;
  /** Of a message that waits; undefined: there is none. */
  payload(message: Pick<MqttWaiting, 'clientId' | 'id'>): Uint8Array | undefined;
  unreleased(message: MqttUnreleased, isSo: boolean): void;
  will(clientId: string, will: MqttWill | undefined): void;
  /** Resolves once all of this is on disk, or the disk has not taken it. */
  settled(): Promise<void>;
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
