// Informers (a local copy of a collection) and reconcilers (work by key).
export { createInformer } from './informer.ts';
export type { Change, Informer, InformerListener, InformerOptions, Listed, ListWatch } from './informer.ts';
export { indexBy } from './index-by.ts';
export type { Index } from './index-by.ts';
export { again, createReconciler, done } from './reconciler.ts';
export type { Next, Reconciler, ReconcilerOptions } from './reconciler.ts';
