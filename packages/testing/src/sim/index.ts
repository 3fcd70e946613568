// A world that goes wrong on purpose, and in the same way again for the same seed: a network with delays, cuts and dead
// connections, and processes that die at a write, before or after it took effect. Time is a FakeClock's.
//
//     const random = seeded(7);
//     const network = createSimNetwork({ clock, random, delay: { least: milliseconds(1), most: milliseconds(80) } });
//     const life = createLife({ onDeath: () => network.bury('edge-1', 'edge'), lag });
//     const db = mortalDatabase(life, disk);         // dies with `life`, the disk stays
//     life.dieAtWrite(3, 'after');
export { createLife, simErrors } from './life.ts';
export type { Life, LifeOptions } from './life.ts';
export { mortalDatabase } from './mortal-database.ts';
export { mortalKubeApi } from './mortal-kube-api.ts';
export { createSimNetwork } from './network.ts';
export type { SimNetwork, SimNetworkOptions } from './network.ts';
export { seeded } from './seeded.ts';
export type { Seeded } from './seeded.ts';
