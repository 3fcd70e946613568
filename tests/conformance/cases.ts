// All cases, by area.
import { configurationCases } from './cases/configuration.ts';
import { containerCases } from './cases/containers.ts';
import { lifecycleCases } from './cases/lifecycle.ts';
import { probeCases } from './cases/probes.ts';
import { securityCases } from './cases/security.ts';
import { volumeCases } from './cases/volumes.ts';
import type { Case } from './node-under-test.ts';

export const conformanceCases: Readonly<Record<string, readonly Case[]>> = {
  containers: containerCases,
  probes: probeCases,
  'life cycle': lifecycleCases,
  configuration: configurationCases,
  security: securityCases,
  volumes: volumeCases,
};
