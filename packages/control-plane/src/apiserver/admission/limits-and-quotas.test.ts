// Limit ranges, quotas and the default storage class: what they change and what they refuse, as tables.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Call } from '@kedge/engine/kube-api';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { LimitRangeItem, ResourceQuota, ResourceQuotaSpec, ResourceRequirements } from '@kedge/model/k8s-types';
import type { Kind } from '../kinds/kind.ts';
import type { AdmissionRequest } from './admission.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { limitRanges } from './limit-ranges.ts';
import { resourceQuotas } from './resource-quotas.ts';

const call = {} as Call;
const request = (resource: string, object: KubeObject, before?: KubeObject): AdmissionRequest => ({
  operation: before ? 'update' : 'create',
  kind: { collection: resource, served: { group: '', resource } } as unknown as Kind,
  namespace: 'default',
  name: 'it',
  subresource: undefined,
  object,
  before,
  user: { name: 'ann', groups: [] },
  dryRun: false,
});
const pod = (...resources: ResourceRequirements[]): KubeObject => ({
  metadata: { name: 'it' },
  spec: { containers: resources.map((one, at) => ({ name: `c${at}`, resources: one })) },
});
const claim = (storage: string, more: object = {}): KubeObject => ({
  metadata: { name: 'it' },
  spec: { resources: { requests: { storage } }, ...more },
});
async function outcome(run: () => void | Promise<void>): Promise<string> {
  try {
    await run();
    return 'admitted';
  } catch (error) {
    if (!isStatus(error, 'Forbidden')) throw error;
    return error.message.replace(/^.* is forbidden: /, '');
  }
}

const limited: [what: string, LimitRangeItem, string, KubeObject, says: string][] = [
  ['enough', { type: 'Container', max: { cpu: '1' } }, 'pods', pod({ limits: { cpu: '1' } }), 'admitted'],
  [
    'too much',
    { type: 'Container', max: { cpu: '1' } },
    'pods',
    pod({ limits: { cpu: '1100m' } }),
    '[maximum cpu usage per Container is 1, but limit is 1100m, maximum cpu usage per Container is 1, but request is 1100m]',
  ],
  [
    'no limit where there is a most',
    { type: 'Container', max: { cpu: '1' } },
    'pods',
    pod({}),
    'maximum cpu usage per Container is 1.  No limit is specified',
  ],
  [
    'too little',
    { type: 'Container', min: { memory: '64Mi' } },
    'pods',
    pod({ requests: { memory: '1Mi' } }),
    'minimum memory usage per Container is 64Mi, but request is 1Mi',
  ],
  [
    'too much together',
    { type: 'Pod', max: { cpu: '1' } },
    'pods',
    pod({ limits: { cpu: '600m' } }, { limits: { cpu: '600m' } }),
    'maximum cpu usage per Pod is 1, but limit is 1200m',
  ],
  [
    'too far apart',
    { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
    'pods',
    pod({ limits: { cpu: '3' }, requests: { cpu: '1' } }),
    'cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000',
  ],
  [
    'a claim that is too big',
    { type: 'PersistentVolumeClaim', max: { storage: '1Gi' } },
    'persistentvolumeclaims',
    claim('2Gi'),
    '[maximum storage usage per PersistentVolumeClaim is 1Gi, but limit is 2Gi, maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi]',
  ],
];
describe('a limit range', () => {
  for (const [what, item, resource, object, says] of limited) {
    test(what, async () => {
      const step = limitRanges(() => [{ metadata: {}, spec: { limits: [item] } }]);
      assert.equal(await outcome(() => step.admit!(request(resource, object), call)), says);
    });
  }
});

const charges: [what: string, ResourceQuotaSpec, used: Record<string, string>, string, KubeObject, says: string][] = [
  ['room for one more', { hard: { pods: '2' } }, { pods: '1' }, 'pods', pod({}), 'pods=2'],
  [
    'no room',
    { hard: { pods: '2' } },
    { pods: '2' },
    'pods',
    pod({}),
    'exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2',
  ],
  [
    'too much of one thing',
    { hard: { 'requests.cpu': '1', pods: '9' } },
    { 'requests.cpu': '600m', pods: '1' },
    'pods',
    pod({ requests: { cpu: '500m' } }),
    'exceeded quota: few, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1',
  ],
  [
    'nothing said',
    { hard: { 'limits.memory': '1Gi' } },
    {},
    'pods',
    pod({}),
    'failed quota: few: must specify limits.memory for: c0',
  ],
  ['not in its scope', { hard: { pods: '0' }, scopes: ['NotBestEffort'] }, {}, 'pods', pod({}), 'admitted'],
  [
    'claims',
    { hard: { 'requests.storage': '3Gi' } },
    { 'requests.storage': '1Gi' },
    'persistentvolumeclaims',
    claim('2Gi'),
    'requests.storage=3Gi',
  ],
  ['any kind by its count', { hard: { 'count/secrets': '1' } }, {}, 'secrets', { metadata: {} }, 'count/secrets=1'],
];
describe('a quota', () => {
  async function charge(quota: ResourceQuota, of: AdmissionRequest): Promise<string> {
    let written = 'admitted';
    const step = resourceQuotas({
      quotasIn: () => [quota as unknown as KubeObject],
      async charge(_, __, make) {
        const { used = {} } = make(quota);
        const changed = Object.entries(used).filter(([name, text]) => quota.status?.used?.[name] !== text);
        written = changed.map((one) => one.join('=')).join(' ');
      },
    });
    const said = await outcome(() => step.validate!(of, call));
    return said === 'admitted' ? written : said;
  }
  for (const [what, spec, used, resource, object, says] of charges) {
    test(what, async () => {
      const quota: ResourceQuota = { metadata: { name: 'few' }, spec, status: { used } };
      assert.equal(await charge(quota, request(resource, object)), says);
    });
  }

  test('is charged for what a change adds, and not for what stays', async () => {
    const quota: ResourceQuota = {
      metadata: { name: 'few' },
      spec: { hard: { 'requests.storage': '3Gi', persistentvolumeclaims: '1' } },
      status: { used: { 'requests.storage': '1Gi', persistentvolumeclaims: '1' } },
    };
    assert.equal(
      await charge(quota, request('persistentvolumeclaims', claim('2Gi'), claim('1Gi'))),
      'requests.storage=2Gi',
    );
    assert.equal(await charge(quota, request('persistentvolumeclaims', claim('1Gi'), claim('1Gi'))), 'admitted');
  });
});

test('a claim gets the newest default class, unless it names one or wants none', async () => {
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  const step = defaultStorageClass(() => [
    { metadata: { name: 'old', annotations, creationTimestamp: '2025-01-01T00:00:00Z' }, provisioner: 'p' },
    { metadata: { name: 'new', annotations, creationTimestamp: '2026-01-01T00:00:00Z' }, provisioner: 'p' },
    { metadata: { name: 'other', creationTimestamp: '2026-02-01T00:00:00Z' }, provisioner: 'p' },
  ]);
  const classOf = async (more: object): Promise<unknown> => {
    const object = claim('1Gi', more);
    await step.admit!(request('persistentvolumeclaims', object), call);
    return (object['spec'] as { storageClassName?: string }).storageClassName;
  };
  assert.deepEqual(
    [await classOf({}), await classOf({ storageClassName: '' }), await classOf({ storageClassName: 'x' })],
    ['new', '', 'x'],
  );
});
