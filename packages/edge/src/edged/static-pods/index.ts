// Pods from files of the node, and what the cloud sees of them. Loaded when there is such a file, with the reader for
// YAML, from a file of its own beside the daemon.
export { createStaticPods, type StaticPods } from './static-pods.ts';
