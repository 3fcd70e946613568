// The Database port on SQLite.
export { openDatabase } from './open-database.ts';
export { openOrSetAside } from './set-aside.ts';
export type { Opened } from './set-aside.ts';
