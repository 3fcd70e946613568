export { codecsOf, type Codec, type MessageTable } from './codec.ts';
export type { Whole } from './whole.ts';
