// The pod that searches from a node: what it is, and what to make of what it wrote. Pure.
import type { Pod } from '@kedge/model/k8s-types';
import { CommandLineError } from '../commands/command-line-error.ts';
import type { Found, SearchRequest } from './search-here.ts';

export interface SearchPodOptions {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly image: string;
  readonly request: SearchRequest;
}

export const containerName = 'search';
export const longestSeconds = 1_800;

/** Throws for options that are nobody else's business: whoever may read pods reads their arguments. */
export function searchPod({ name, namespace, node, image, request }: SearchPodOptions): Pod {
  const { protocol, options } = request;
  if (options['password'] !== undefined) {
    throw new CommandLineError(
      'a password would be readable in the pod that searches: search without one, or on the node itself (without --node)',
    );
  }
  const words = [
    ...(protocol === undefined ? [] : [protocol]),
    ...Object.entries(options).map((entry) => entry.join('=')),
  ];
  const { serial } = options;
  const locked = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { 'app.kubernetes.io/name': 'kedge-discover' } },
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
          name: containerName,
          image,
          imagePullPolicy: 'IfNotPresent',
          args: ['device', 'discover', ...words, '--output', 'json'],
          resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '256Mi' } },
          // The devices of the node are closed to containers without privileges.
          securityContext: serial === undefined ? locked : { privileged: true },
          ...(serial === undefined ? {} : { volumeMounts: [{ name: 'serial', mountPath: serial }] }),
        },
      ],
      ...(serial === undefined
        ? {}
        : { volumes: [{ name: 'serial', hostPath: { path: serial, type: 'CharDevice' } }] }),
    },
  };
}

export type SearchState =
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

export function searchState(pod: Pod): SearchState {
  const { phase = 'Pending', message, reason, containerStatuses = [] } = pod.status ?? {};
  if (phase === 'Succeeded' || phase === 'Failed') {
    return { at: 'ended', ok: phase === 'Succeeded', say: message ?? reason ?? '' };
  }
  const waiting = containerStatuses.find(({ name }) => name === containerName)?.state?.waiting;
  if (waiting?.reason !== undefined && noImage.has(waiting.reason)) {
    return { at: 'hopeless', say: `${waiting.reason}: ${waiting.message ?? 'the image cannot be had'}` };
  }
  return { at: 'waiting', say: waiting?.reason ?? phase };
}

/** Standard output and standard error of a container are one log: what was found, and the rest. */
export function readSearchLog(log: string): { readonly found: readonly Found[]; readonly rest: readonly string[] } {
  const found: Found[] = [];
  const rest: string[] = [];
  for (const line of log.split('\n')) {
    if (line.trim() === '') continue;
    const one = parseFound(line);
    if (one) found.push(one);
    else rest.push(line);
  }
  return { found, rest };
}

function parseFound(line: string): Found | undefined {
  if (!line.startsWith('{"protocol":')) return undefined;
  try {
    const { protocol, found } = JSON.parse(line) as Partial<Found>;
    const isWhole = typeof protocol === 'string' && typeof found?.name === 'string' && Array.isArray(found.properties);
    return isWhole ? { protocol, found } : undefined;
  } catch {
    return undefined;
  }
}
