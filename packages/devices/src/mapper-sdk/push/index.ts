// Push targets: where values go besides edgecore.
export { createPushers } from './pushers.ts';
export type { Pushers } from './pushers.ts';
export type { PushDeps, PushedSample, PushTarget } from './target.ts';
