// How the ports fail. The tables stand beside the interfaces, so that callers recognise a failure without knowing
// which implementation they were handed.
import { defineErrors } from '../errors/index.ts';

export const httpErrors = defineErrors('HTTP', {
  CONNECT_FAILED: {
    retry: 'backoff',
    say: (d: { url: string; reason: string }) => `cannot connect to ${d.url}: ${d.reason}`,
  },
  CONNECTION_LOST: {
    retry: 'backoff',
    say: (d: { url: string; reason: string }) => `the connection to ${d.url} broke: ${d.reason}`,
  },
  TIMEOUT: {
    retry: 'backoff',
    say: (d: { url: string; waitedFor: string; ms: number }) => `${d.url}: no ${d.waitedFor} within ${d.ms} ms`,
  },
  UNTRUSTED_SERVER: {
    retry: 'backoff',
    say: (d: { url: string; reason: string }) =>
      `${d.url} shows a certificate that is not trusted (${d.reason}); check the address, the CA file and both clocks`,
  },
  CERTIFICATE_REFUSED: {
    retry: 'backoff',
    say: (d: { url: string; reason: string }) => `${d.url} does not accept our client certificate (${d.reason})`,
  },
  UPGRADE_REFUSED: {
    retry: 'backoff',
    say: (d: { url: string; status: number; say: string }) =>
      `${d.url} refused the WebSocket with HTTP ${d.status} ${d.say}`.trimEnd(),
  },
  BODY_TOO_LARGE: {
    retry: 'never',
    say: (d: { limit: number }) => `the body is over the limit of ${d.limit} bytes`,
  },
  BAD_URL: {
    retry: 'never',
    say: (d: { url: string }) => `"${d.url}" is not an http, https, ws or wss URL`,
  },
  BAD_HEADER: {
    retry: 'never',
    say: (d: { url: string; name: string }) =>
      `the header "${d.name}" cannot be sent to ${d.url}: it holds characters that no header may; check the name of the node and the token`,
  },
  BAD_TLS: {
    retry: 'never',
    say: (d: { reason: string }) => `the TLS certificate, key or CA cannot be used: ${d.reason}`,
  },
  CLOSED: {
    retry: 'backoff',
    say: (d: { what: string }) => `${d.what} is closed`,
  },
  PORT_TAKEN: {
    retry: 'backoff',
    say: (d: { address: string; port: number }) =>
      `port ${d.port} on ${d.address} is in use by another program: stop it, or configure another port; "ss -ltnp" lists who listens`,
  },
  LISTEN_FAILED: {
    retry: 'backoff',
    say: (d: { address: string; port: number; reason: string }) =>
      `cannot listen on ${d.address} port ${d.port}: ${d.reason}`,
  },
});

export const keysErrors = defineErrors('KEYS', {
  BAD_CERTIFICATE: { retry: 'never', say: (d: { reason: string }) => `not a usable certificate: ${d.reason}` },
  BAD_KEY: { retry: 'never', say: (d: { reason: string }) => `not a usable private key: ${d.reason}` },
  BAD_REQUEST: { retry: 'never', say: (d: { reason: string }) => `not a usable certificate request: ${d.reason}` },
  BAD_PEM: { retry: 'never', say: (d: { reason: string }) => `not a PEM text: ${d.reason}` },
});

export const filesErrors = defineErrors('FILES', {
  FAILED: {
    retry: 'backoff',
    say: (d: { doing: string; path: string; reason: string }) => `cannot ${d.doing} ${d.path}: ${d.reason}`,
  },
  DISK_FULL: {
    retry: 'backoff',
    say: (d: { doing: string; path: string }) =>
      `cannot ${d.doing} ${d.path}: the disk is full; free some space on its file system (see df -h)`,
  },
  NOT_PERMITTED: {
    retry: 'backoff',
    say: (d: { doing: string; path: string }) =>
      `cannot ${d.doing} ${d.path}: not permitted; run as root or change the owner of the path`,
  },
  READ_ONLY: {
    retry: 'backoff',
    say: (d: { doing: string; path: string }) => `cannot ${d.doing} ${d.path}: the file system is read-only`,
  },
  MOUNTED: {
    retry: 'backoff',
    say: (d: { path: string; mount: string }) =>
      `${d.path} is not removed: ${d.mount} is mounted in it; unmount that first`,
  },
  CANNOT_RUN: {
    retry: 'backoff',
    say: (d: { command: string; reason: string }) => `cannot run ${d.command}: ${d.reason}`,
  },
});

export const hostErrors = defineErrors('HOST', {
  SHUTDOWN_UNHEARD: {
    retry: 'backoff',
    say: (d: { reason: string }) => `a shutdown of the machine cannot be waited for: ${d.reason}`,
  },
});

export const databaseErrors = defineErrors('SQLITE', {
  LOCKED: {
    retry: 'backoff',
    say: (d: { path: string; holder: string }) => `${d.path} is in use by ${d.holder}: stop that process first`,
  },
  CORRUPT: {
    retry: 'never',
    say: (d: { path: string; reason: string }) =>
      `${d.path} is damaged (${d.reason}): put a copy from a backup in its place, or move it away to start anew`,
  },
  FULL: {
    retry: 'backoff',
    say: (d: { path: string }) =>
      `${d.path} cannot grow: the disk is full; free some space on its file system (see df -h)`,
  },
  NEWER_SCHEMA: {
    retry: 'never',
    say: (d: { path: string; step: string }) =>
      `${d.path} was written by a newer version (it has the schema step "${d.step}"): run that version, or start with another file`,
  },
  CANNOT_OPEN: {
    retry: 'backoff',
    say: (d: { path: string; reason: string }) => `cannot open the database ${d.path}: ${d.reason}`,
  },
  FAILED: {
    retry: 'backoff',
    say: (d: { path: string; reason: string }) => `the database ${d.path} failed: ${d.reason}`,
  },
  CLOSED: { retry: 'never', say: (d: { path: string }) => `the database ${d.path} is closed` },
});

export const mqttErrors = defineErrors('MQTT', {
  CONNECT_FAILED: {
    retry: 'backoff',
    say: (d: { url: string; reason: string }) => `cannot connect to the MQTT broker ${d.url}: ${d.reason}`,
  },
  REFUSED: {
    retry: 'backoff',
    say: (d: { url: string; reason: string }) =>
      `the MQTT broker ${d.url} refuses us: ${d.reason}; check user, password and client id`,
  },
  UNTRUSTED_BROKER: {
    retry: 'backoff',
    say: (d: { url: string; reason: string }) =>
      `the MQTT broker ${d.url} shows a certificate that is not trusted (${d.reason}); check the address and the CA file`,
  },
  CONNECTION_LOST: {
    retry: 'backoff',
    say: (d: { url: string; reason: string }) => `the connection to the MQTT broker ${d.url} broke: ${d.reason}`,
  },
  SUBSCRIPTION_REFUSED: {
    retry: 'backoff',
    say: (d: { url: string; filter: string }) =>
      `the MQTT broker ${d.url} does not let us subscribe to ${d.filter}; check its access list`,
  },
  BAD_URL: {
    retry: 'never',
    say: (d: { url: string }) => `"${d.url}" is not the URL of an MQTT broker, such as tcp://127.0.0.1:1883`,
  },
  BAD_TLS: {
    retry: 'never',
    say: (d: { reason: string }) => `the TLS certificate, key or CA for the MQTT broker cannot be used: ${d.reason}`,
  },
  LISTEN_FAILED: {
    retry: 'backoff',
    say: (d: { address: string; port: number; reason: string }) =>
      `the MQTT broker cannot listen on ${d.address} port ${d.port}: ${d.reason}; modules.eventBus.mqttServerInternal says where`,
  },
});
