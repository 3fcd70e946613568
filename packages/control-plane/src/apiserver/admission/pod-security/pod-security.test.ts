// The pod security standards as a table: what is wrong with a pod, in Kubernetes' words.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Call } from '@kedge/engine/kube-api';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { Kind } from '../../kinds/kind.ts';
import type { AdmissionRequest } from '../admission.ts';
import { podSecurity } from './pod-security.ts';
import { policyOf, sayViolations, violations } from './policy.ts';

const good = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};
const found = (level: 'baseline' | 'restricted', spec: object, version = 'latest', annotations = {}): string =>
  sayViolations(violations({ level, version }, { annotations, spec: spec as never }));
const one = (securityContext: object, more: object = {}) => ({ containers: [{ name: 'a', securityContext, ...more }] });

const table: [what: string, spec: object, baseline: string, restricted: string][] = [
  [
    'nothing said',
    one({}),
    '',
    'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  ],
  ['all good', one(good), '', ''],
  [
    'privileged',
    one({ ...good, privileged: true }),
    'privileged (container "a" must not set securityContext.privileged=true)',
    'privileged (container "a" must not set securityContext.privileged=true)',
  ],
  [
    'host namespaces and a host path',
    { ...one(good), hostNetwork: true, hostPID: true, volumes: [{ name: 'v', hostPath: { path: '/' } }] },
    'host namespaces (hostNetwork=true, hostPID=true), hostPath volumes (volume "v")',
    'host namespaces (hostNetwork=true, hostPID=true), restricted volume types (volume "v" uses restricted volume type "hostPath")',
  ],
  [
    'ports of the host',
    { containers: ['a', 'b'].map((name, at) => ({ name, securityContext: good, ports: [{ hostPort: 80 + at }] })) },
    'hostPort (containers "a", "b" use hostPorts 80, 81)',
    'hostPort (containers "a", "b" use hostPorts 80, 81)',
  ],
  [
    'more capabilities',
    one({ ...good, capabilities: { add: ['NET_ADMIN', 'CHOWN'] } }),
    'non-default capabilities (container "a" must not include "NET_ADMIN" in securityContext.capabilities.add)',
    'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]; container "a" must not include "CHOWN", "NET_ADMIN" in securityContext.capabilities.add)',
  ],
  [
    'unconfined',
    { ...one(good), securityContext: { seccompProfile: { type: 'Unconfined' }, sysctls: [{ name: 'kernel.msgmax' }] } },
    'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined"), forbidden sysctls (kernel.msgmax)',
    'forbidden sysctls (kernel.msgmax), seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    'a SELinux user, a proc mount',
    one({ ...good, seLinuxOptions: { user: 'u', type: 'x' }, procMount: 'Unmasked' }),
    'procMount (container "a" must not set securityContext.procMount to "Unmasked"), seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: type "x"; user may not be set)',
    'procMount (container "a" must not set securityContext.procMount to "Unmasked"), seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: type "x"; user may not be set)',
  ],
  [
    'root',
    { ...one({ ...good, runAsNonRoot: false, runAsUser: 0 }), securityContext: { runAsUser: 0 } },
    '',
    'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false), runAsUser=0 (pod and container "a" must not set runAsUser=0)',
  ],
  [
    'an AppArmor profile',
    one({ ...good, appArmorProfile: { type: 'Unconfined' } }),
    'forbidden AppArmor profile (container "a" must not set AppArmor profile type to "Unconfined")',
    'forbidden AppArmor profile (container "a" must not set AppArmor profile type to "Unconfined")',
  ],
  [
    'a process on the host',
    { ...one(good), securityContext: { windowsOptions: { hostProcess: true } } },
    'hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
    'hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
  ],
];

describe('the standards', () => {
  for (const [what, spec, baseline, restricted] of table) {
    test(what, () => {
      assert.equal(found('baseline', spec), baseline);
      assert.equal(found('restricted', spec), restricted);
    });
  }

  test('hold from the version on in which they came', () => {
    assert.doesNotMatch(found('restricted', one({}), 'v1.18'), /seccompProfile|capabilities/);
    assert.match(found('restricted', one({}), 'v1.19'), /seccompProfile/);
    const sysctl = { ...one(good), securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem' }] } };
    assert.equal(found('baseline', sysctl, 'v1.31'), 'forbidden sysctls (net.ipv4.tcp_rmem)');
    assert.equal(found('baseline', sysctl, 'v1.32'), '');
    const windows = { ...one({ ...good, allowPrivilegeEscalation: undefined }), os: { name: 'windows' } };
    assert.match(found('restricted', windows, 'v1.24'), /allowPrivilegeEscalation/);
    assert.equal(found('restricted', windows), '');
  });
});

test('labels that make no sense enforce the most, and warnings follow what is enforced', () => {
  const prefix = 'pod-security.kubernetes.io/';
  const { policy, errors } = policyOf({ [`${prefix}enforce`]: 'strict', [`${prefix}audit-version`]: '1.2' });
  assert.deepEqual([policy.enforce.level, policy.warn.level], ['restricted', 'privileged']);
  assert.deepEqual(
    errors.map(({ field }) => field),
    [`metadata.labels[${prefix}enforce]`, `metadata.labels[${prefix}audit-version]`],
  );
  assert.deepEqual(policyOf({ [`${prefix}enforce`]: 'baseline', [`${prefix}enforce-version`]: 'v1.30' }).policy.warn, {
    level: 'baseline',
    version: 'v1.30',
  });
});

describe('admission', () => {
  const namespace = (level: string): KubeObject => ({
    metadata: { name: 'ns', labels: { 'pod-security.kubernetes.io/enforce': level } },
  });
  async function outcome(collection: string, object: KubeObject, level: string, before?: KubeObject): Promise<string> {
    const warnings: string[] = [];
    const step = podSecurity({
      readNamespace: () => namespace(level),
      podsIn: () => ['b', 'a'].map((name) => ({ metadata: { name }, spec: one({ privileged: true }) })),
    });
    const request: AdmissionRequest = {
      operation: before ? 'update' : 'create',
      kind: { collection, served: { group: '', resource: collection, kind: 'Namespace' } } as unknown as Kind,
      namespace: 'ns',
      name: 'x',
      subresource: undefined,
      object,
      before,
      user: { name: 'ann', groups: [] },
      dryRun: false,
    };
    try {
      await step.validate!(request, { warn: (text: string) => warnings.push(text) } as unknown as Call);
    } catch (error) {
      if (isStatus(error)) return error.message;
      throw error;
    }
    return warnings.join('\n') || 'admitted';
  }
  const pod = (spec: object): KubeObject => ({ metadata: { name: 'x' }, spec });

  test('refuses pods, warns of workloads', async () => {
    assert.equal(await outcome('pods', pod(one(good)), 'restricted'), 'admitted');
    assert.equal(await outcome('pods', pod(one({ privileged: true })), 'privileged'), 'admitted');
    assert.equal(
      await outcome('pods', pod(one({ privileged: true })), 'baseline'),
      'pods "x" is forbidden: violates PodSecurity "baseline:latest": privileged (container "a" must not set securityContext.privileged=true)',
    );
    const deployment = { metadata: { name: 'x' }, spec: { template: pod(one({ privileged: true })) } };
    assert.equal(
      await outcome('deployments.apps', deployment, 'baseline'),
      'would violate PodSecurity "baseline:latest": privileged (container "a" must not set securityContext.privileged=true)',
    );
  });

  test('leaves existing pods alone unless their images change', async () => {
    const before = pod(one({ privileged: true }, { image: 'a:1' }));
    const labelled = { ...before, metadata: { name: 'x', labels: { a: 'b' } } };
    assert.equal(await outcome('pods', labelled, 'baseline', before), 'admitted');
    assert.match(
      await outcome('pods', pod(one({ privileged: true }, { image: 'a:2' })), 'baseline', before),
      /violates/,
    );
  });

  test('tells which existing pods a stricter namespace would refuse', async () => {
    assert.equal(
      await outcome('namespaces', namespace('baseline'), '', namespace('privileged')),
      'existing pods in namespace "x" violate the new PodSecurity enforce level "baseline:latest"\na (and 1 other pod): privileged',
    );
    assert.equal(await outcome('namespaces', namespace('privileged'), '', namespace('baseline')), 'admitted');
    assert.match(
      await outcome('namespaces', namespace('strict'), ''),
      /must be one of privileged, baseline, restricted/,
    );
  });
});
