// Takes pods that are new on this node, one after the other, or refuses them: what the node has, what it is short of, and
// what its runtime can do.
import { KeyedMutex } from '@kedge/core/flow';
import type { Pod } from '@kedge/model/k8s-types';
import type { EventRecorder } from '../events.ts';
import { type AdmissionInput, planAdmission } from './plan-admission.ts';
import { describePod } from './pod-spec.ts';
import type { Refusal } from './unsupported.ts';

export type Admission = 'admitted' | 'wait' | Refusal;

export interface PodAdmission {
  /** `wait`: others are ending to make room. */
  admit(pod: Pod, signal: AbortSignal): Promise<Admission>;
}

export interface PodAdmissionDeps {
  readonly events: EventRecorder;
  /** Those that were taken and have not ended. */
  readonly accepted: () => readonly Pod[];
  readonly node: (pod: Pod, signal: AbortSignal) => Promise<Pick<AdmissionInput, 'allocatable' | 'node'>>;
  /** The pod counts as taken from here on. */
  readonly accept: (pod: Pod) => void;
  /** Why the node takes no pods of this kind just now. */
  readonly pressure: (pod: Pod) => Refusal | undefined;
  /** What the runtime would leave out of it. */
  readonly unable: (pod: Pod, signal: AbortSignal) => Promise<Refusal | undefined>;
  /** Devices and processors for it; the node has as many as it counts, or something is wrong. */
  readonly give: (pod: Pod, signal: AbortSignal) => Promise<Refusal | undefined>;
  readonly preempt: (victim: Pod, message: string) => void;
}

export function createPodAdmission(deps: PodAdmissionDeps): PodAdmission {
  /** Two at once would both find the last place free. */
  const one = new KeyedMutex();

  async function judge(pod: Pod, signal: AbortSignal): Promise<Admission> {
    const refusal = deps.pressure(pod) ?? (await deps.unable(pod, signal));
    if (refusal) return refusal;
    const others = deps.accepted();
    const verdict = planAdmission({ pod, others, ...(await deps.node(pod, signal)) });
    switch (verdict.do) {
      case 'admit': {
        const lacking = await deps.give(pod, signal);
        if (lacking) return lacking;
        // The machine may have begun to go down meanwhile.
        const late = deps.pressure(pod);
        if (late) return late;
        deps.accept(pod);
        return 'admitted';
      }
      case 'refuse':
        return verdict.refusal;
      case 'preempt':
        for (const victim of verdict.victims) {
          deps.events.pod(
            victim,
            'Warning',
            'Preempting',
            `Preempted in order to admit critical pod ${describePod(pod)}`,
          );
          deps.preempt(victim, 'Preempted in order to admit critical pod');
        }
        return 'wait';
    }
  }

  return { admit: (pod, signal) => one.run('node', () => judge(pod, signal)) };
}
