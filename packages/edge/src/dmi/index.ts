// DMI: where mappers register, get their devices, and report what those say. Its neighbours come in through `ports.ts`.
//
//     const dmi = createDmiServer({ clock, log, random, metrics, db, servers, openChannel, devices, twins }, { socketPath });
//
// What a mapper has been handed is on disk. Each mapper has a loop that compares that with what it should have and tells
// it the difference, so a restart of either side, a lost call or a new desired value are all the same case.
export { createDmiServer } from './dmi-server.ts';
export type { DmiServerConfig, DmiServerDeps } from './dmi-server.ts';
export type { DmiDevices, DmiTwins, MapperReport } from './ports.ts';
