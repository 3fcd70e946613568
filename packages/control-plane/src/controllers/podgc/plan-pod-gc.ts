// Which pods nobody will ever finish, and so have to be taken out of the API by force. Pure.
import { type Instant, parseTime, seconds } from '@kedge/core/time';
import type { Node, Pod } from '@kedge/model/k8s-types';
import { isTerminal } from '../pods/pod-state.ts';

export type PodRemoval =
  /** Its node is not in the API; that is checked again before anything is done. */
  | { readonly why: 'node is gone'; readonly pod: Pod }
  | { readonly why: 'never had a node'; readonly pod: Pod }
  | { readonly why: 'node is out of service'; readonly pod: Pod }
  /** It was told to stop before its node was registered anew: whoever was told cannot answer any more. */
  | { readonly why: 'node was registered anew'; readonly pod: Pod }
  | { readonly why: 'too many ended pods'; readonly pod: Pod };

export interface PodGcFacts {
  readonly nodeOf: (name: string) => Node | undefined;
  readonly now: Instant;
  /** Ended pods that may be kept. */
  readonly endedLimit: number;
}

const outOfService = 'node.kubernetes.io/out-of-service';
/** A newly registered node gets this long to finish what it is told before we do it without it. */
const registrationPatience = seconds(60);

export function planPodGc(pods: Iterable<Pod>, facts: PodGcFacts): PodRemoval[] {
  const removals: PodRemoval[] = [];
  const ended: Pod[] = [];
  for (const pod of pods) {
    const why = reasonFor(pod, facts);
    if (why) removals.push({ why, pod });
    else if (isTerminal(pod)) ended.push(pod);
  }
  const surplus = ended.length - facts.endedLimit;
  if (surplus > 0) {
    const oldestFirst = ended.toSorted((a, b) => (createdAt(a) < createdAt(b) ? -1 : 1));
    for (const pod of oldestFirst.slice(0, surplus)) removals.push({ why: 'too many ended pods', pod });
  }
  return removals;
}

function reasonFor(
  { metadata, spec }: Pod,
  { nodeOf, now }: PodGcFacts,
): Exclude<PodRemoval['why'], 'too many ended pods'> | undefined {
  const isLeaving = metadata.deletionTimestamp !== undefined;
  if (!spec?.nodeName) return isLeaving ? 'never had a node' : undefined;
  const node = nodeOf(spec.nodeName);
  if (!node) return 'node is gone';
  if (!isLeaving) return undefined;
  const isReady = node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  if (!isReady && node.spec?.taints?.some(({ key }) => key === outOfService)) return 'node is out of service';
  const registered = parseTime(node.metadata.creationTimestamp);
  const stopBy = parseTime(metadata.deletionTimestamp);
  if (registered === undefined || stopBy === undefined) return undefined;
  return stopBy < registered && registered + registrationPatience < now ? 'node was registered anew' : undefined;
}

const createdAt = ({ metadata }: Pod): string => metadata.creationTimestamp ?? '';
