// Configuration of MQTT devices: the keys of KubeEdge's MQTT mappers, and what says where in a message a value is.
import { choice, decimal, flag, integer, object, optional, text } from '@kedge/core/config';
import type { DocumentOf } from '@kedge/core/config';
import { type Duration, seconds } from '@kedge/core/time';
import { mapperErrors, required } from '../mapper-sdk/index.ts';
import { parsePath, type Step } from './json-path.ts';

export const protocolConfig = object({
  brokerURL: optional(text('', { description: 'tcp://host:1883, or ssl://host:8883' })),
  url: optional(text('', { description: 'another name of brokerURL' })),
  ip: optional(text('', { description: 'instead of brokerURL' })),
  port: integer(1_883, { minimum: 1, maximum: 65_535, description: 'beside ip' }),
  clientID: optional(text('', { description: 'absent: one made up' })),
  username: optional(text('')),
  password: optional(text('')),
  passwordFile: optional(text('', { description: 'a file with the password, better than the password itself' })),
  ca: optional(text('', { description: 'a PEM file; absent: the authorities that Node.js knows' })),
  certificate: optional(text('', { description: 'a PEM file, for brokers that ask for one' })),
  privateKey: optional(text('', { description: 'a PEM file' })),
  insecureSkipVerify: flag(false, { description: "takes any broker's certificate" }),
  qos: choice(1, [0, 1]),
  timeout: decimal(5, { minimum: 0.05, maximum: 15, description: 'seconds, for connecting' }),
  maxPayload: integer(65_536, { minimum: 1, maximum: 1_048_576, description: 'bytes; longer messages are not read' }),
  availabilityTopic: optional(text('', { description: 'where the device says whether it is there' })),
  payloadAvailable: text('online'),
  payloadNotAvailable: text('offline'),
});
export type MqttConfig = DocumentOf<typeof protocolConfig>;

const formats = ['json', 'text', 'number', 'base64', 'bytes'] as const;

export const visitorConfig = object({
  topic: required(text('', { description: 'where the value is published; no wildcards' })),
  format: optional(choice('json', formats, { description: 'absent: json with a jsonPath, else text' })),
  jsonPath: optional(text('', { description: 'such as $.sensors[0].temperature' })),
  qos: optional(choice(1, [0, 1], { description: 'absent: as the protocol has it' })),
  payloadTrue: optional(text('', { description: 'for a BOOLEAN: what stands for true, such as ON' })),
  payloadFalse: optional(text('')),
  writeTopic: optional(text('', { description: 'where desired values are published; absent: it cannot be written' })),
  writeTemplate: text('{{value}}', { description: '{{value}} is the value as text, {{json}} as JSON' }),
  retain: flag(false, { description: 'of what is published' }),
});
export type MqttVisitor = DocumentOf<typeof visitorConfig>;

export interface BrokerSettings {
  readonly url: string;
  readonly clientId: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Files. */
  readonly passwordFile: string | undefined;
  readonly tls:
    | { readonly ca: string | undefined; readonly certificate: string | undefined; readonly key: string | undefined }
    | undefined;
  readonly timeout: Duration;
  readonly maxPayload: number;
}

const bad = (where: string, ...problems: string[]): Error => mapperErrors.BAD_CONFIG({ where, problems });

/** Throws MAPPER_BAD_CONFIG for what no schema says. */
export function readBroker(config: MqttConfig): BrokerSettings {
  const where = 'spec.protocol.configData';
  const url = config.brokerURL || config.url || (config.ip ? `tcp://${config.ip}:${config.port}` : '');
  if (url === '') throw bad(where, 'brokerURL is not set: it says where the broker is, such as tcp://10.0.0.7:1883');
  if (!/^(?:tcp|mqtt|ssl|tls|mqtts):\/\/./.test(url)) {
    throw bad(where, `brokerURL is "${url}", needs tcp://host:port or ssl://host:port`);
  }
  if (((config.certificate ?? '') === '') !== ((config.privateKey ?? '') === '')) {
    throw bad(where, 'certificate and privateKey: one is set without the other');
  }
  if (config.insecureSkipVerify && config.certificate) {
    throw bad(where, 'insecureSkipVerify and certificate: to whoever is not checked, none is shown');
  }
  const encrypted = /^(?:ssl|tls|mqtts):/.test(url);
  return {
    url,
    clientId: config.clientID || undefined,
    username: config.username || undefined,
    password: config.password || undefined,
    passwordFile: config.passwordFile || undefined,
    tls:
      encrypted && !config.insecureSkipVerify
        ? {
            ca: config.ca || undefined,
            certificate: config.certificate || undefined,
            key: config.privateKey || undefined,
          }
        : undefined,
    timeout: seconds(config.timeout),
    maxPayload: config.maxPayload,
  };
}

export interface Source {
  readonly topic: string;
  readonly format: (typeof formats)[number];
  readonly path: readonly Step[] | undefined;
}

/** The longest that a topic of a property may be, in letters; the protocol would allow 65,535 bytes. */
const longestTopic = 512;

/** Throws MAPPER_BAD_CONFIG. */
export function readSource(visitor: MqttVisitor, property: string): Source {
  const where = `property "${property}": visitors.configData`;
  checkTopic(visitor.topic, 'topic', where);
  if (visitor.writeTopic) checkTopic(visitor.writeTopic, 'writeTopic', where);
  const format = visitor.format ?? (visitor.jsonPath === undefined ? 'text' : 'json');
  if (visitor.jsonPath !== undefined && format !== 'json') {
    throw bad(where, `jsonPath is set, and format is "${format}": it needs json`);
  }
  const path = visitor.jsonPath === undefined ? undefined : parsePath(visitor.jsonPath);
  if (typeof path === 'string') throw bad(where, `jsonPath is "${visitor.jsonPath}": ${path}`);
  return { topic: visitor.topic, format, path };
}

export function checkTopic(topic: string, key: string, where: string): void {
  if (topic.length > longestTopic) throw bad(where, `${key} is longer than ${longestTopic} letters`);
  if (/[+#\0]/.test(topic)) throw bad(where, `${key} is "${topic}", needs one topic: + and # stand for many`);
}
