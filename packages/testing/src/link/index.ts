// A link between an edge and a cloud without a network.
export { linkPair } from './link-pair.ts';
export type { Carry, LinkPair } from './link-pair.ts';
