// What pods get from their runtime class, and ingresses from the default class.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '@kedge/engine/kube-api';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { Kind } from '../kinds/kind.ts';
import type { AdmissionStep } from './admission.ts';
import { defaultIngressClass } from './default-ingress-class.ts';
import { runtimeClass } from './runtime-class.ts';

async function admitted(step: AdmissionStep, collection: string, spec: object): Promise<unknown> {
  const object: KubeObject = { metadata: { name: 'x' }, spec };
  const kind = { collection } as unknown as Kind;
  const user = { name: 'ann', groups: [] };
  const request = { operation: 'create', kind, namespace: 'ns', name: 'x', subresource: undefined } as const;
  try {
    await step.admit!({ ...request, object, before: undefined, user, dryRun: false }, {} as Call);
  } catch (error) {
    if (!isStatus(error, 'Forbidden')) throw error;
    return error.message.replace(/^.* is forbidden: /, '');
  }
  return object['spec'];
}

test('a runtime class gives overhead, nodes and tolerations, and contradictions are refused', async () => {
  const toleration = { key: 'kata', operator: 'Exists' };
  const step = runtimeClass((name) =>
    name === 'kata'
      ? {
          metadata: { name },
          handler: 'kata',
          overhead: { podFixed: { memory: '100Mi' } },
          scheduling: { nodeSelector: { kata: 'yes' }, tolerations: [toleration] },
        }
      : undefined,
  );
  assert.deepEqual(await admitted(step, 'pods', { runtimeClassName: 'kata', nodeSelector: { a: 'b' } }), {
    runtimeClassName: 'kata',
    overhead: { memory: '100Mi' },
    nodeSelector: { a: 'b', kata: 'yes' },
    tolerations: [toleration],
  });
  assert.equal(
    await admitted(step, 'pods', { runtimeClassName: 'none' }),
    'pod rejected: RuntimeClass "none" not found',
  );
  assert.equal(
    await admitted(step, 'pods', { runtimeClassName: 'kata', nodeSelector: { kata: 'no' } }),
    'conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no',
  );
  assert.match(String(await admitted(step, 'pods', { overhead: { cpu: '1' } })), /without corresponding RuntimeClass/);
  assert.match(
    String(await admitted(step, 'pods', { runtimeClassName: 'kata', overhead: { cpu: '1' } })),
    /doesn't match RuntimeClass's defined Overhead/,
  );
});

test('an ingress gets the newest default class, unless it names one', async () => {
  const of = (name: string, creationTimestamp: string, isDefault = 'true') => ({
    metadata: { name, creationTimestamp, annotations: { 'ingressclass.kubernetes.io/is-default-class': isDefault } },
  });
  const step = defaultIngressClass(() => [
    of('old', '2020-01-01T00:00:00Z'),
    of('new', '2024-01-01T00:00:00Z'),
    of('no', '2025-01-01T00:00:00Z', 'false'),
  ]);
  const ingresses = 'ingresses.networking.k8s.io';
  assert.deepEqual(await admitted(step, ingresses, {}), { ingressClassName: 'new' });
  assert.deepEqual(await admitted(step, ingresses, { ingressClassName: 'mine' }), { ingressClassName: 'mine' });
  assert.deepEqual(
    await admitted(
      defaultIngressClass(() => []),
      ingresses,
      {},
    ),
    {},
  );
});
