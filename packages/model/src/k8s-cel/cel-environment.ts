// The CEL library with Kubernetes' functions, loaded when the first expression turns up: a server without rules does not
// carry it. This folder is the only place that knows the library.
import type { Environment, Optional } from '@marcbachmann/cel-js';
import { registerAddressFunctions } from './functions/addresses.ts';
import { registerListFunctions } from './functions/lists.ts';
import { registerQuantityFunctions } from './functions/quantities.ts';
import { registerTextFunctions } from './functions/texts.ts';
import { registerUrlFunctions } from './functions/urls.ts';

export interface Cel {
  /** An environment with all functions and no variables yet. */
  open(): Environment;
  optional: typeof Optional;
  /** A duration as the library keeps it. Throws when the text is none. */
  parseDuration(text: string): unknown;
}

let loading: Promise<Cel> | undefined;

export function loadCel(): Promise<Cel> {
  return (loading ??= createCel());
}

async function createCel(): Promise<Cel> {
  const { Environment, Optional } = await import('@marcbachmann/cel-js');
  const { registerNamedFormats } = await import('./functions/named-formats.ts');
  const env = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 20_000, maxDepth: 100 },
  });
  registerListFunctions(env);
  registerTextFunctions(env);
  registerQuantityFunctions(env);
  registerAddressFunctions(env);
  registerUrlFunctions(env);
  registerNamedFormats(env);
  const duration = env.clone().registerVariable('text', 'string').parse('duration(text)');
  return { open: () => env.clone(), optional: Optional, parseDuration: (text) => duration({ text }) };
}
