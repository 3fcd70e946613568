// Messages of the runtime interface, and the short reading of lists.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert as check, asyncProperty, uint8Array } from 'fast-check';
import { rpcErrors, type RpcTransport } from '../rpc/index.ts';
import { createCri } from './client.ts';
import {
  ContainerState,
  ListContainersResponse,
  ListPodSandboxResponse,
  RunPodSandboxRequest,
} from './cri.generated.ts';
import { decodeContainerStates, decodeSandboxStates } from './states.ts';

const answering = (bytes: Uint8Array, seen: [string, Uint8Array][] = []): RpcTransport => ({
  call: async (path, message) => {
    seen.push([path, message]);
    return bytes;
  },
  async *stream() {
    yield bytes;
  },
});

describe('a call', () => {
  test('names service and method, and sends what was given', async () => {
    const seen: [string, Uint8Array][] = [];
    const cri = createCri(answering(Uint8Array.of(0x0a, 1, 0x73), seen));
    const config = { metadata: { name: 'web', attempt: 2 }, labels: { a: 'b' } };
    assert.deepEqual(await cri.runPodSandbox({ config }), { podSandboxId: 's' });
    const [[path, message] = ['', new Uint8Array(0)]] = seen;
    assert.equal(path, '/runtime.v1.RuntimeService/RunPodSandbox');
    const sent = RunPodSandboxRequest.decode(message);
    assert.equal(sent.config?.metadata?.attempt, 2);
    assert.deepEqual(sent.config?.labels, { a: 'b' });
  });

  test('an answer without fields has zero values', async () => {
    const { status } = await createCri(answering(Uint8Array.of(0x0a, 0))).containerStatus({ containerId: 'c' });
    assert.equal(status?.id, '');
    assert.equal(status?.startedAt, 0n);
    assert.deepEqual(status?.labels, {});
    assert.equal(status?.image, undefined);
  });

  test('an answer that is no message is MALFORMED, whatever it is', async () => {
    await assert.rejects(createCri(answering(Uint8Array.of(0x0a, 200))).version({}), (error) =>
      rpcErrors.MALFORMED.is(error),
    );
    await check(
      asyncProperty(uint8Array({ maxLength: 64 }), async (bytes) => {
        await createCri(answering(bytes))
          .containerStates()
          .catch((error: unknown) => assert.ok(rpcErrors.MALFORMED.is(error)));
      }),
    );
  });
});

test('ids and states are read past everything else', () => {
  const container = (id: string, state: ContainerState) => ({
    id,
    state,
    podSandboxId: 's'.repeat(64),
    labels: { 'io.kubernetes.pod.name': 'web', other: 'x'.repeat(300) },
    metadata: { name: 'main', attempt: 1 },
    createdAt: 1_700_000_000_000_000_000n,
  });
  const containers = [
    container('a', ContainerState.CONTAINER_RUNNING),
    container('b', ContainerState.CONTAINER_CREATED),
  ];
  const bytes = ListContainersResponse.encode({ containers }).finish();
  assert.deepEqual(
    [...decodeContainerStates(bytes)],
    [
      ['a', 1],
      ['b', 0],
    ],
  );
  const sandboxes = ListPodSandboxResponse.encode({ items: [{ id: 's', state: 1 }, { id: 't' }] }).finish();
  assert.deepEqual(
    [...decodeSandboxStates(sandboxes)],
    [
      ['s', 1],
      ['t', 0],
    ],
  );
});
