// What a test asks of a broker inside edgecore: on a free port of loopback, open to everybody, with room for a few.
import type { MqttBrokerLimits } from '@kedge/core/ports';

const limits: MqttBrokerLimits = {
  clients: 10,
  packetBytes: 1 << 20,
  subscriptionsPerClient: 10,
  queuedPerSession: 10,
  queuedBytes: 1 << 20,
  queuedFor: 3_600_000,
  retained: 10,
  retainedBytes: 1 << 20,
};

export const smallBroker = {
  address: '127.0.0.1',
  port: 0,
  credentials: undefined,
  tls: undefined,
  retain: false,
  limits,
} as const;
