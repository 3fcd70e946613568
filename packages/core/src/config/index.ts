// Layered configuration: reading, merging, checking, explaining.
export type { HostFacts } from './host-facts.ts';
