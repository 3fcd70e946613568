// A pod of the mappers' image that does one thing on a node and ends: what it is, and what to make of its states. Pure.
import type { Pod } from '@kedge/model/k8s-types';

export interface NodePodOptions {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly image: string;
  /** What it is for; its label, and the name of its container. */
  readonly task: { readonly label: string; readonly container: string };
  /** Of `kedge`. Whoever may read pods reads them. */
  readonly args: readonly string[];
  /** The node ends it then, whatever has become of who made it. */
  readonly longestSeconds: number;
  /** A serial port of the node. */
  readonly serial?: string | undefined;
  /** Of the node, to be read where they are; absolute paths. */
  readonly files?: readonly string[];
}

const locked = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };

export function nodePod({
  name,
  namespace,
  node,
  image,
  task,
  args,
  longestSeconds,
  serial,
  files = [],
}: NodePodOptions): Pod {
  const mounts = [...new Set(files)].map((path, n) => ({ name: `file-${n}`, path, type: 'File', isReadOnly: true }));
  if (serial !== undefined) mounts.push({ name: 'serial', path: serial, type: 'CharDevice', isReadOnly: false });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { 'app.kubernetes.io/name': task.label } },
    spec: {
      // Not by the scheduler: it is this node or none, whatever its taints.
      nodeName: node,
      hostNetwork: true,
      dnsPolicy: 'Default',
      restartPolicy: 'Never',
      activeDeadlineSeconds: longestSeconds,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: task.container,
          image,
          imagePullPolicy: 'IfNotPresent',
          args: [...args],
          resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '256Mi' } },
          // The devices of the node are closed to containers without privileges.
          securityContext: serial === undefined ? locked : { privileged: true },
          ...(mounts.length > 0 && {
            volumeMounts: mounts.map(({ name: volume, path, isReadOnly }) => {
              return { name: volume, mountPath: path, ...(isReadOnly ? { readOnly: true } : {}) };
            }),
          }),
        },
      ],
      ...(mounts.length > 0 && {
        volumes: mounts.map(({ name: volume, path, type }) => ({ name: volume, hostPath: { path, type } })),
      }),
    },
  };
}

export type NodePodState =
  | { readonly at: 'waiting'; readonly say: string }
  | { readonly at: 'ended'; readonly ok: boolean; readonly say: string }
  | { readonly at: 'hopeless'; readonly say: string };

/** Reasons of a waiting container that do not go away by themselves. */
const noImage: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
]);

export function nodePodState(pod: Pod): NodePodState {
  const { phase = 'Pending', message, reason, containerStatuses = [] } = pod.status ?? {};
  if (phase === 'Succeeded' || phase === 'Failed') {
    return { at: 'ended', ok: phase === 'Succeeded', say: message ?? reason ?? '' };
  }
  // It has one container.
  const waiting = containerStatuses[0]?.state?.waiting;
  if (waiting?.reason !== undefined && noImage.has(waiting.reason)) {
    return { at: 'hopeless', say: `${waiting.reason}: ${waiting.message ?? 'the image cannot be had'}` };
  }
  return { at: 'waiting', say: waiting?.reason ?? phase };
}
