// `--controllers` as kube-controller-manager takes it: `*` stands for all, `foo` turns one on, `-foo` off.
import { type ControllerName, controllerNames } from '@kedge/control-plane/controllers';
import { CommandLineError } from './command-line-error.ts';

const known: ReadonlySet<string> = new Set(controllerNames);

/** Besides Kubernetes' forms, `-*` turns all of them off: somebody else's kube-controller-manager does their work. */
export function pickControllers(list: readonly string[]): (name: ControllerName) => boolean {
  const asked = new Set(list.map((entry) => entry.trim()).filter((entry) => entry !== ''));
  for (const entry of asked) {
    const name = entry.replace(/^-/, '');
    if (name !== '*' && !known.has(name))
      throw new CommandLineError(`--controllers: there is no controller "${name}"; there are ${[...known].join(', ')}`);
  }
  return (name) => !asked.has(`-${name}`) && (asked.has(name) || asked.has('*'));
}
