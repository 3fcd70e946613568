// Where a list goes on: opaque to clients, a revision and a key to us.
import { fail } from '@kedge/model/k8s';

export interface Continuation {
  readonly revision: number;
  readonly namespace: string;
  readonly name: string;
}

export const formatContinue = ({ revision, namespace, name }: Continuation): string =>
  btoa(JSON.stringify([revision, namespace, name]));

/** Goes on in the newest state, whatever happened meanwhile. */
export const formatInconsistentContinue = ({ namespace, name }: Continuation): string =>
  formatContinue({ revision: 0, namespace, name });

/** A revision of 0 means the newest. Throws BadRequest. */
export function parseContinue(token: string): Continuation {
  try {
    const [revision, namespace, name] = JSON.parse(atob(token)) as unknown[];
    if (Number.isSafeInteger(revision) && typeof namespace === 'string' && typeof name === 'string') {
      return { revision: revision as number, namespace, name };
    }
  } catch {
    // Not one of ours; refused below.
  }
  throw fail('BadRequest', 'continue key is not valid: start the list again without it');
}
