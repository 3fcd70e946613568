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
