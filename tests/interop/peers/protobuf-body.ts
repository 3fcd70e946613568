// Reads the Kubernetes protobuf bodies that a Go cloudcore sends whatever it is configured to: the few kinds it creates
// and updates, by the field numbers of the published generated.proto files (k8s.io/api v0.31).
import type { KubeObject } from '@kedge/model/k8s';

type Field =
  | 'text'
  | 'bytes'
  | 'integer'
  | 'flag'
  | 'time'
  | 'quantity'
  | { readonly message: Shape }
  | { readonly map: 'text' | 'bytes' | 'quantity' }
  | { readonly list: 'text' | { readonly message: Shape } };

type Shape = Readonly<Record<number, readonly [name: string, field: Field]>>;

const message = (shape: Shape): Field => ({ message: shape });
const list = (shape: Shape): Field => ({ list: { message: shape } });
const texts = (...names: string[]): Shape => Object.fromEntries(names.map((name, i) => [i + 1, [name, 'text']]));

const metadata = message({
  ...texts('name', 'generateName', 'namespace', 'selfLink', 'uid', 'resourceVersion'),
  7: ['generation', 'integer'],
  8: ['creationTimestamp', 'time'],
  9: ['deletionTimestamp', 'time'],
  10: ['deletionGracePeriodSeconds', 'integer'],
  11: ['labels', { map: 'text' }],
  12: ['annotations', { map: 'text' }],
  13: [
    'ownerReferences',
    list({
      1: ['kind', 'text'],
      3: ['name', 'text'],
      4: ['uid', 'text'],
      5: ['apiVersion', 'text'],
      6: ['controller', 'flag'],
      7: ['blockOwnerDeletion', 'flag'],
    }),
  ],
  14: ['finalizers', { list: 'text' }],
});

const condition = {
  ...texts('type', 'status'),
  3: ['lastHeartbeatTime', 'time'],
  4: ['lastTransitionTime', 'time'],
  5: ['reason', 'text'],
  6: ['message', 'text'],
} as const satisfies Shape;

const nodeStatus: Shape = {
  1: ['capacity', { map: 'quantity' }],
  2: ['allocatable', { map: 'quantity' }],
  3: ['phase', 'text'],
  4: ['conditions', list(condition)],
  5: ['addresses', list(texts('type', 'address'))],
  6: ['daemonEndpoints', message({ 1: ['kubeletEndpoint', message({ 1: ['Port', 'integer'] })] })],
  7: [
    'nodeInfo',
    message(
      texts(
        'machineID',
        'systemUUID',
        'bootID',
        'kernelVersion',
        'osImage',
        'containerRuntimeVersion',
        'kubeletVersion',
        'kubeProxyVersion',
        'operatingSystem',
        'architecture',
      ),
    ),
  ],
};

const kinds: Readonly<Record<string, Shape>> = {
  ConfigMap: { 1: ['metadata', metadata], 2: ['data', { map: 'text' }], 3: ['binaryData', { map: 'bytes' }] },
  Secret: { 1: ['metadata', metadata], 2: ['data', { map: 'bytes' }], 3: ['type', 'text'] },
  Lease: {
    1: ['metadata', metadata],
    2: [
      'spec',
      message({
        1: ['holderIdentity', 'text'],
        2: ['leaseDurationSeconds', 'integer'],
        3: ['acquireTime', 'time'],
        4: ['renewTime', 'time'],
        5: ['leaseTransitions', 'integer'],
      }),
    ],
  },
  Node: {
    1: ['metadata', metadata],
    2: [
      'spec',
      message({
        1: ['podCIDR', 'text'],
        3: ['providerID', 'text'],
        4: ['unschedulable', 'flag'],
        5: ['taints', list(texts('key', 'value', 'effect'))],
      }),
    ],
    3: ['status', message(nodeStatus)],
  },
  TokenRequest: {
    1: ['metadata', metadata],
    2: [
      'spec',
      message({
        1: ['audiences', { list: 'text' }],
        3: ['boundObjectRef', message(texts('kind', 'apiVersion', 'name', 'uid'))],
        4: ['expirationSeconds', 'integer'],
      }),
    ],
  },
  DeleteOptions: {
    1: ['gracePeriodSeconds', 'integer'],
    2: ['preconditions', message(texts('uid', 'resourceVersion'))],
    4: ['propagationPolicy', 'text'],
  },
};

const magic = [0x6b, 0x38, 0x73, 0x00];
export const isProtobuf = (body: Uint8Array): boolean => magic.every((byte, i) => body[i] === byte);

export function readProtobufBody(body: Uint8Array): KubeObject {
  const unknown = read(body.subarray(4), { 1: ['type', message(texts('apiVersion', 'kind'))], 2: ['raw', 'bytes'] });
  const { apiVersion, kind } = unknown['type'] as { apiVersion: string; kind: string };
  const shape = kinds[kind];
  if (!shape) throw new Error(`a protobuf body of kind ${kind} is not known to this test`);
  return { apiVersion, kind, metadata: {}, ...read(Buffer.from(unknown['raw'] as string, 'base64'), shape) };
}

function read(bytes: Uint8Array, shape: Shape): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const { number, value } of fieldsOf(bytes)) {
    const entry = shape[number];
    if (entry) add(result, entry[0], entry[1], value);
  }
  return result;
}

function add(result: Record<string, unknown>, name: string, field: Field, value: bigint | Uint8Array): void {
  if (typeof field === 'string') {
    const plain = scalar(field, value);
    // Go writes empty texts, too; in JSON they are left out.
    if (plain !== '') result[name] = plain;
  } else if ('message' in field) result[name] = read(value as Uint8Array, field.message);
  else if ('map' in field) {
    const entry = read(value as Uint8Array, { 1: ['key', 'text'], 2: ['value', field.map] });
    const map = (result[name] ??= {}) as Record<string, unknown>;
    map[(entry['key'] ?? '') as string] = entry['value'] ?? '';
  } else {
    const items = (result[name] ??= []) as unknown[];
    items.push(field.list === 'text' ? scalar('text', value) : read(value as Uint8Array, field.list.message));
  }
}

function scalar(field: Extract<Field, string>, value: bigint | Uint8Array): unknown {
  switch (field) {
    case 'text':
      return Buffer.from(value as Uint8Array).toString('utf8');
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'integer':
      return Number(BigInt.asIntN(64, value as bigint));
    case 'flag':
      return value !== 0n;
    case 'quantity':
      return read(value as Uint8Array, texts('string'))['string'] ?? '0';
    case 'time': {
      const time = read(value as Uint8Array, { 1: ['seconds', 'integer'], 2: ['nanos', 'integer'] });
      if (time['seconds'] === undefined) return null;
      const ms = (time['seconds'] as number) * 1_000 + ((time['nanos'] as number | undefined) ?? 0) / 1e6;
      return new Date(ms)
        .toISOString()
        .replace(/\.(\d{3})Z$/, (_, part: string) => (part === '000' ? 'Z' : `.${part}000Z`));
    }
  }
}

function* fieldsOf(bytes: Uint8Array): Generator<{ number: number; value: bigint | Uint8Array }> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    if (wire === 0) yield { number: tag >> 3, value: varint() };
    else {
      const length = wire === 2 ? Number(varint()) : wire === 1 ? 8 : 4;
      yield { number: tag >> 3, value: bytes.subarray(at, at + length) };
      at += length;
    }
  }
}
