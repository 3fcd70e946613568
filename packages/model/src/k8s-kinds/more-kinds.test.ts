// What is refused, by kind, in the words of a kube-apiserver 1.32; the same inputs were run against one.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../k8s/index.ts';
import { rulesFor } from './index.ts';

type Given = { readonly apiVersion: string; readonly kind: string; readonly [field: string]: unknown };

const say = (errors: readonly { field: string; message: string }[]): string[] =>
  errors.map(({ field, message }) => `${field}: ${message}`);
const complete = (object: Given): KubeObject =>
  rulesFor(object.apiVersion, object.kind).defaults({ metadata: { name: 'x', namespace: 'default' }, ...object });
const problems = (object: Given): string[] => say(rulesFor(object.apiVersion, object.kind).validate(complete(object)));
function changes(from: Given, to: Given): string[] {
  const rules = rulesFor(to.apiVersion, to.kind);
  const old = complete(from);
  return say(rules.validateUpdate(rules.prepareUpdate(complete(to), old), old));
}

const container = { name: 'a', image: 'i' };
const job = (spec: object, pod: object = {}): Given => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  spec: {
    selector: {},
    template: { spec: { restartPolicy: 'Never', containers: [container], ...pod } },
    ...spec,
  },
});
const cronJob = (spec: object): Given => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  spec: { schedule: '0 3 * * *', jobTemplate: { spec: job({ selector: undefined })['spec'] }, ...spec },
});
const autoscaler = (spec: object): Given => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  spec: { scaleTargetRef: { kind: 'Deployment', name: 'd' }, maxReplicas: 3, ...spec },
});
const ingress = (path: object): Given => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  spec: { rules: [{ http: { paths: [path] } }] },
});
const networkPolicy = (rule: object): Given => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  spec: { ingress: [rule] },
});
const quota = (spec: object): Given => ({ apiVersion: 'v1', kind: 'ResourceQuota', spec });
const limits = (item: object): Given => ({ apiVersion: 'v1', kind: 'LimitRange', spec: { limits: [item] } });
const rbac = (kind: string, fields: object): Given => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind,
  ...fields,
});
const storage = (kind: string, fields: object): Given => ({ apiVersion: 'storage.k8s.io/v1', kind, ...fields });
const pod = (spec: object): Given => ({ apiVersion: 'v1', kind: 'Pod', spec: { containers: [container], ...spec } });
const service = (spec: object): Given => ({
  apiVersion: 'v1',
  kind: 'Service',
  spec: { ports: [{ port: 80 }], ...spec },
});

describe('a kube-apiserver refuses', () => {
  const cases: readonly [string, Given, readonly string[]][] = [
    [
      'a Job whose pods always restart',
      job({}, { restartPolicy: 'Always' }),
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      'limits of indexes in a Job without indexes',
      job({ backoffLimitPerIndex: 1 }),
      ['spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode'],
    ],
    [
      'a policy for failures that says nothing',
      job({ podFailurePolicy: { rules: [{ action: 'Stop' }] } }),
      [
        'spec.podFailurePolicy.rules[0].action: Unsupported value: "Stop": supported values: "Count", "FailIndex", "FailJob", "Ignore"',
        'spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required',
      ],
    ],
    [
      'exit codes of a container that is not there, out of order',
      job({
        podFailurePolicy: {
          rules: [{ action: 'FailJob', onExitCodes: { containerName: 'b', operator: 'In', values: [2, 0] } }],
        },
      }),
      [
        'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "b": must be one of the container or initContainer names in the pod template',
        'spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator',
        'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,0]: must be ordered',
      ],
    ],
    [
      'success by indexes that do not exist',
      job({ completionMode: 'Indexed', completions: 2, successPolicy: { rules: [{ succeededIndexes: '0-2' }] } }),
      [
        'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0-2": error parsing succeededIndexes: too large index: "2"',
      ],
    ],
    [
      'a time zone nobody knows',
      cronJob({ timeZone: 'Europe/Nowhere' }),
      ['spec.timeZone: Invalid value: "Europe/Nowhere": unknown time zone Europe/Nowhere'],
    ],
    [
      'a metric without its source',
      autoscaler({ metrics: [{ type: 'Pods' }] }),
      ['spec.metrics[0].pods: Required value: must populate information for the given metric source'],
    ],
    [
      'a metric without a target',
      autoscaler({ metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization' } } }] }),
      [
        'spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization',
      ],
    ],
    [
      'scaling rules out of range',
      autoscaler({
        behavior: { scaleUp: { policies: [{ type: 'Pods', value: 0, periodSeconds: 2000 }] } },
      }),
      [
        'spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero',
        'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 2000: must be less than or equal to 1800',
      ],
    ],
    [
      'an Ingress path without a type',
      ingress({ path: '/', backend: { service: { name: 's', port: { number: 80 } } } }),
      ['spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified'],
    ],
    [
      'an Ingress path that goes nowhere',
      ingress({ path: 'a/../b', pathType: 'Prefix', backend: {} }),
      [
        'spec.rules[0].http.paths[0].path: Invalid value: "a/../b": must be an absolute path',
        'spec.rules[0].http.paths[0].path: Invalid value: "a/../b": must not contain \'/../\'',
        'spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required',
      ],
    ],
    [
      'an IngressClass without a domain',
      { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', spec: { controller: 'nginx' } },
      ['spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      'a peer of two kinds, and a range of ports upside down',
      networkPolicy({
        from: [{ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }],
        ports: [{ port: 80, endPort: 70 }],
      }),
      [
        'spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`',
        'spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer',
      ],
    ],
    [
      'an exception that is not within the range',
      networkPolicy({ from: [{ ipBlock: { cidr: '10.0.0.0/16', except: ['10.1.0.0/24'] } }] }),
      ['spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "10.1.0.0/24": must be a strict subset of `cidr`'],
    ],
    [
      'scopes that do not go together',
      quota({ hard: { cpu: '1' }, scopes: ['BestEffort', 'NotBestEffort'] }),
      [
        'spec.scopes: Invalid value: []string{"BestEffort", "NotBestEffort"}: unsupported scope applied to resource',
        'spec.scopes: Invalid value: []string{"BestEffort", "NotBestEffort"}: conflicting scopes',
      ],
    ],
    [
      'limits that contradict each other',
      limits({ type: 'Container', max: { cpu: '1' }, min: { cpu: '2' } }),
      [
        'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
        'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
        'spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1',
      ],
    ],
    [
      'rules about resources and paths at once',
      rbac('ClusterRole', { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'], resources: ['pods'] }] }),
      [
        'rules[0].nonResourceURLs: Invalid value: []string{"/x"}: rules cannot apply to both regular resources and non-resource URLs',
      ],
    ],
    [
      'a role that is made of nothing',
      rbac('ClusterRole', { aggregationRule: {} }),
      [
        'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
      ],
    ],
    [
      'subjects of no kind, or in no namespace',
      rbac('ClusterRoleBinding', {
        roleRef: { kind: 'ClusterRole', name: 'r' },
        subjects: [{ name: 'a' }, { kind: 'ServiceAccount', name: 'b' }],
      }),
      [
        'subjects[0].kind: Unsupported value: "": supported values: "ServiceAccount", "User", "Group"',
        'subjects[1].namespace: Required value',
      ],
    ],
    [
      'topologies that are said twice',
      storage('StorageClass', {
        provisioner: 'a.b/c',
        allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: [] }] }],
      }),
      ['allowedTopologies[0].matchLabelExpressions[0].values: Required value'],
    ],
    [
      'a driver that does what no driver can',
      storage('CSIDriver', {
        spec: { volumeLifecycleModes: ['Sometimes'], tokenRequests: [{ audience: 'a', expirationSeconds: 1 }] },
      }),
      [
        'spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes',
        'spec.volumeLifecycleModes: Unsupported value: "Sometimes": supported values: "Persistent", "Ephemeral"',
      ],
    ],
    [
      'a RuntimeClass without a handler',
      { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', handler: 'Runc' },
      [
        "handler: Invalid value: \"Runc\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [
      'an event by nobody, seen once in a series',
      {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        regarding: { namespace: 'default' },
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingController: 'a.b/c',
        action: 'A',
        reason: 'R'.repeat(129),
        type: 'Normal',
        series: { count: 1, lastObservedTime: '2026-01-01T00:00:00.000000Z' },
      },
      [
        'reportingInstance: Required value',
        'reason: Invalid value: "": can have at most 128 characters',
        'series.count: Invalid value: "": should be at least 2',
      ],
    ],
    [
      'a revision without content',
      { apiVersion: 'apps/v1', kind: 'ControllerRevision', revision: -1 },
      ['revision: Invalid value: -1: must be greater than or equal to 0', 'data: Required value: data is mandatory'],
    ],
    [
      'a certificate request that is none',
      {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        spec: { request: 'YQ==', signerName: 'signer', usages: ['fly'] },
      },
      [
        'spec.request: Invalid value: "YQ==": PEM block type must be CERTIFICATE REQUEST',
        'spec.usages[0]: Unsupported value: "fly": supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"',
        'spec.signerName: Invalid value: "signer": must be a fully qualified domain and path of the form \'example.com/signer-name\'',
      ],
    ],
    [
      'a volume that is nowhere, in a class without a name',
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        spec: { capacity: { storage: '-1' }, accessModes: ['Sometimes'], local: {} },
      },
      [
        'spec.accessModes: Unsupported value: "Sometimes": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
        'spec.capacity[storage]: Invalid value: "-1": must be greater than zero',
        'spec.local.path: Required value',
        'spec.nodeAffinity: Required value: Local volume requires node affinity',
      ],
    ],
    [
      'a claim made of what cannot be one',
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        spec: {
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: '1Gi' } },
          dataSourceRef: { kind: 'Pod', name: 'x' },
        },
      },
      [
        'spec.dataSourceRef: Invalid value: "Pod": must be \'PersistentVolumeClaim\' when referencing the default apiGroup',
      ],
    ],
    [
      'profiles without a file',
      pod({ securityContext: { seccompProfile: { type: 'Localhost' }, appArmorProfile: { type: 'None' } } }),
      [
        'spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost',
        'spec.securityContext.appArmorProfile.type: Unsupported value: "None": supported values: "Localhost", "RuntimeDefault", "Unconfined"',
      ],
    ],
    [
      'files made of nothing, or of what no pod has',
      pod({
        volumes: [
          { name: 'v', downwardAPI: { items: [{ path: 'a' }, { path: 'b', fieldRef: { fieldPath: 'spec.color' } }] } },
        ],
      }),
      [
        'spec.volumes[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required',
        'spec.volumes[0].downwardAPI.fieldRef.fieldPath: Invalid value: "spec.color": error converting fieldPath: field label not supported: spec.color',
      ],
    ],
    [
      'a volume made for the pod of which nothing is asked',
      pod({ volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: {} } } }] }),
      [
        'spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required',
        'spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value',
      ],
    ],
    [
      'a raw device that is no claim',
      pod({
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [{ ...container, volumeDevices: [{ name: 'v', devicePath: '/dev/x' }] }],
      }),
      [
        'spec.containers[0].volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
      ],
    ],
    [
      'policies of traffic where there is none from outside',
      service({ externalTrafficPolicy: 'Local', healthCheckNodePort: 5 }),
      [
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
        "spec.healthCheckNodePort: Invalid value: 5: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ],
    ],
  ];
  for (const [what, object, expected] of cases) {
    it(what, () => assert.deepEqual(problems(object), expected));
  }
});

describe('a kube-apiserver keeps', () => {
  const indexed = (completions: number, parallelism: number): Given =>
    job({ completionMode: 'Indexed', completions, parallelism });
  const cases: readonly [string, Given, Given, readonly string[]][] = [
    [
      'the completions of an indexed Job in step with its parallelism',
      indexed(2, 2),
      indexed(3, 2),
      ['spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism'],
    ],
    ['an indexed Job that grows with its parallelism', indexed(2, 2), indexed(3, 3), []],
    [
      'the failure policy of a Job',
      job({}),
      job({ podFailurePolicy: { rules: [] } }),
      ['spec.podFailurePolicy: Invalid value: {"rules":[]}: field is immutable'],
    ],
    [
      'where the pods of a suspended Job may run open',
      job({ suspend: true }),
      job({ suspend: true }, { nodeSelector: { disk: 'ssd' } }),
      [],
    ],
    [
      'the role of a binding',
      rbac('RoleBinding', { roleRef: { kind: 'Role', name: 'a' } }),
      rbac('RoleBinding', { roleRef: { kind: 'Role', name: 'b' } }),
      [
        'roleRef: Invalid value: {"kind":"Role","name":"b","apiGroup":"rbac.authorization.k8s.io"}: cannot change roleRef',
      ],
    ],
    [
      'the content of a revision',
      { apiVersion: 'apps/v1', kind: 'ControllerRevision', revision: 1, data: { a: 1 } },
      { apiVersion: 'apps/v1', kind: 'ControllerRevision', revision: 1, data: { a: 2 } },
      ['data: Invalid value: {"a":2}: field is immutable'],
    ],
    [
      'what an event says',
      { apiVersion: 'events.k8s.io/v1', kind: 'Event', note: 'a', reason: 'R' },
      { apiVersion: 'events.k8s.io/v1', kind: 'Event', note: 'b', reason: 'R' },
      ['message: Invalid value: "b": field is immutable'],
    ],
    [
      'the scopes of a quota',
      quota({ scopes: ['Terminating'] }),
      quota({}),
      ['spec.scopes: Invalid value: null: field is immutable'],
    ],
  ];
  for (const [what, from, to, expected] of cases) {
    it(what, () => assert.deepEqual(changes(from, to), expected));
  }
});

describe('a kube-apiserver adds', () => {
  it('what a driver leaves out', () => {
    const { spec } = complete(storage('CSIDriver', {})) as unknown as { spec: object };
    assert.deepEqual(spec, {
      attachRequired: true,
      podInfoOnMount: false,
      storageCapacity: false,
      fsGroupPolicy: 'ReadWriteOnceWithFSType',
      volumeLifecycleModes: ['Persistent'],
      requiresRepublish: false,
      seLinuxMount: false,
    });
  });
  it('the family of its address to a Service', () => {
    const rules = rulesFor('v1', 'Service');
    const made = rules.prepareCreate(complete(service({ clusterIP: 'fd00::1' })));
    const { ipFamilies, ipFamilyPolicy } = made['spec'] as Record<string, unknown>;
    assert.deepEqual([ipFamilies, ipFamilyPolicy], [['IPv6'], 'SingleStack']);
  });
  it('the other direction to an autoscaler that says how it scales up', () => {
    const { spec } = complete(autoscaler({ behavior: { scaleUp: {} } })) as unknown as {
      spec: { behavior: { scaleDown: object } };
    };
    assert.deepEqual(spec.behavior.scaleDown, {
      selectPolicy: 'Max',
      policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    });
  });
});
