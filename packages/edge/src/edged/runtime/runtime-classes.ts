// Which handler of the container runtime a pod wants: its RuntimeClass says. Classes come from the cloud and stay on the
// node; their handler never changes.
import type { Pod, RuntimeClass } from '@kedge/model/k8s-types';
import { specOf } from '../pod/pod-spec.ts';
import type { Objects } from '../ports.ts';

/** Empty: the runtime's default. Throws when the class is not known. */
export async function runtimeHandlerOf(pod: Pod, objects: Objects, signal: AbortSignal): Promise<string> {
  const { runtimeClassName } = specOf(pod);
  if (!runtimeClassName) return '';
  const found = await objects.get('runtimeclass', undefined, runtimeClassName, signal);
  if (found.ok) return (found.value as unknown as RuntimeClass).handler;
  const { reason, message } = found.status;
  const why = reason === 'NotFound' ? 'not found' : (message ?? reason);
  throw new Error(`failed to get sandbox runtime: RuntimeClass "${runtimeClassName}": ${why}`);
}
