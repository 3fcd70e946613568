// Whether the node is well, in the four conditions that everybody looks at. Pure.
import { type Instant, toTime } from '@kedge/core/time';
import type { NodeCondition } from '@kedge/model/k8s-types';
import type { NodeFacts } from './node-facts.ts';

type Judgement = readonly [type: string, isTrue: boolean, reason: string, message: string];

export function nodeConditions(facts: NodeFacts, previous: readonly NodeCondition[], now: Instant): NodeCondition[] {
  const { pressures, problems } = facts;
  const isReady = problems.length === 0;
  const judged: Judgement[] = [
    pressures.has('memory')
      ? ['MemoryPressure', true, 'KubeletHasInsufficientMemory', 'kubelet has insufficient memory available']
      : ['MemoryPressure', false, 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    pressures.has('disk')
      ? ['DiskPressure', true, 'KubeletHasDiskPressure', 'kubelet has disk pressure']
      : ['DiskPressure', false, 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    pressures.has('pid')
      ? ['PIDPressure', true, 'KubeletHasInsufficientPID', 'kubelet has insufficient PID available']
      : ['PIDPressure', false, 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    isReady
      ? ['Ready', true, 'KubeletReady', 'kubelet is posting ready status']
      : ['Ready', false, 'KubeletNotReady', problems.join('; ')],
  ];
  return judged.map(([type, isTrue, reason, message]) => {
    const status = isTrue ? 'True' : 'False';
    const before = previous.find((condition) => condition.type === type);
    return {
      type,
      status,
      reason,
      message,
      lastHeartbeatTime: toTime(now),
      lastTransitionTime: (before?.status === status && before.lastTransitionTime) || toTime(now),
    };
  });
}
