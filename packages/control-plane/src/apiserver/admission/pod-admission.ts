// What every pod gets on creation: its service account with a projected token, tolerations for a node that is briefly
// away, and the number behind its priority class.
import type { Random } from '@kedge/core/ports';
import { type Clock, milliseconds } from '@kedge/core/time';
import type { Call } from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
import type { Container, PodSpec, PriorityClass, ServiceAccount, Toleration, Volume } from '@kedge/model/k8s-types';
import { generatedName } from '../objects/object-metadata.ts';
import type { AdmissionRequest, AdmissionStep } from './admission.ts';

const isWholePod = ({ operation, kind, subresource }: AdmissionRequest): boolean =>
  operation !== 'delete' && kind.collection === 'pods' && subresource === undefined;
const isNewPod = (request: AdmissionRequest): boolean => request.operation === 'create' && isWholePod(request);

export interface ServiceAccountDeps {
  readonly clock: Clock;
  readonly random: Random;
  readAccount(namespace: string, name: string): KubeObject | undefined;
}

const mirrorAnnotation = 'kubernetes.io/config.mirror';
const tokenMount = '/var/run/secrets/kubernetes.io/serviceaccount';
/** A namespace's account is made just after the namespace; a pod that comes in between waits a little. */
const accountTries = 20;

export const serviceAccounts = (deps: ServiceAccountDeps): AdmissionStep => ({
  name: 'ServiceAccount',
  async admit(request, call) {
    const { object, namespace = '', name } = request;
    if (!isNewPod(request) || !object || object.metadata.annotations?.[mirrorAnnotation] !== undefined) return;
    const spec = object['spec'] as PodSpec | undefined;
    if (!spec) return;
    spec.serviceAccountName ||= 'default';
    // The old spelling of the same field; upstream keeps both in step.
    spec.serviceAccount = spec.serviceAccountName;
    const account = await awaitAccount(deps, namespace, spec.serviceAccountName, name, call);
    if (!spec.imagePullSecrets?.length && account.imagePullSecrets?.length)
      spec.imagePullSecrets = account.imagePullSecrets;
    if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true)
      mountToken(spec, deps.random);
  },
});

async function awaitAccount(
  { clock, readAccount }: ServiceAccountDeps,
  namespace: string,
  account: string,
  pod: string,
  { signal }: Call,
): Promise<ServiceAccount> {
  for (let tries = 0; tries < accountTries; tries++) {
    const found = readAccount(namespace, account);
    if (found) return found as unknown as ServiceAccount;
    if (account !== 'default') break;
    await clock.sleep('the default service account', milliseconds(100), signal);
  }
  throw fail(
    'Forbidden',
    `pods "${pod}" is forbidden: error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`,
    { name: pod, kind: 'pods' },
  );
}

function mountToken(spec: PodSpec, random: Random): void {
  const containers: Container[] = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const needs = containers.filter((one) => !one.volumeMounts?.some(({ mountPath }) => mountPath === tokenMount));
  if (needs.length === 0) return;
  // Admission comes before validation: even a name that every volume has may be missing here.
  const existing = spec.volumes?.find(({ name }: Partial<Volume>) => name?.startsWith('kube-api-access-'));
  const volume = existing ?? tokenVolume(generatedName('kube-api-access-', random));
  if (!existing) spec.volumes = [...(spec.volumes ?? []), volume];
  for (const container of needs) {
    container.volumeMounts = [
      ...(container.volumeMounts ?? []),
      { name: volume.name, readOnly: true, mountPath: tokenMount },
    ];
  }
}

const tokenVolume = (name: string): Volume => ({
  name,
  projected: {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3_607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  },
});

const briefAbsence = 300;

export const defaultTolerations: AdmissionStep = {
  name: 'DefaultTolerationSeconds',
  admit(request) {
    const spec = request.object?.['spec'] as PodSpec | undefined;
    // On updates as well: a client that sends what it once created does not take them away.
    if (!isWholePod(request) || !spec) return;
    for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
      const tolerates = ({ key: its, effect, operator }: Toleration): boolean =>
        (its === key || (!its && operator === 'Exists')) && (!effect || effect === 'NoExecute');
      if (spec.tolerations?.some(tolerates)) continue;
      const toleration = { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: briefAbsence };
      spec.tolerations = [...(spec.tolerations ?? []), toleration];
    }
  },
};

export const podPriority = (classes: () => readonly PriorityClass[]): AdmissionStep => ({
  name: 'Priority',
  admit(request) {
    const spec = request.object?.['spec'] as PodSpec | undefined;
    if (!isNewPod(request) || !spec) return;
    const all = classes();
    const wanted = spec.priorityClassName;
    const chosen = wanted
      ? all.find(({ metadata }) => metadata?.name === wanted)
      : all.find(({ globalDefault }) => globalDefault);
    if (wanted && !chosen) {
      throw fail('Forbidden', `pods "${request.name}" is forbidden: no PriorityClass with name ${wanted} was found`, {
        name: request.name,
        kind: 'pods',
      });
    }
    if (chosen?.metadata?.name) spec.priorityClassName = chosen.metadata.name;
    spec.priority = chosen?.value ?? 0;
    spec.preemptionPolicy ??= chosen?.preemptionPolicy ?? 'PreemptLowerPriority';
  },
});
