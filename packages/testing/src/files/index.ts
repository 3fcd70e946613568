// A file system in memory.
export { createMemoryFiles } from './memory-files.ts';
export type { MemoryFiles } from './memory-files.ts';
