// The thermostat on Modbus TCP. Unit 1 of the server has:
//
//     input register 0     temperature, signed, tenths of a degree Celsius
//     discrete input 0     whether it heats
//     holding register 0   target, tenths of a degree
//     coil 0               whether it is switched on
//
// and says who it is when it is asked for its device identification.
import { once } from 'node:events';
import type { Server } from 'node:net';
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Clock } from '@kedge/core/time';
import { advance, coldRoom, highestTarget, lowestTarget, type Room } from './thermostat.ts';

export interface ThermostatDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** modbus-serial: not bundled, because it brings native code. */
  load(name: string): Promise<unknown>;
}

/** What is used of modbus-serial. */
interface ModbusLibrary {
  readonly ServerTCP: new (vector: object, options: object) => ModbusServer;
}
interface ModbusServer {
  readonly _server: Server;
  on(event: 'error' | 'socketError' | 'serverError', listener: (error: Error) => void): unknown;
  close(callback: () => void): void;
}

const maxConnections = 16;
const illegalAddress = 2;
const illegalValue = 3;

export function createThermostat(
  { clock, log, load }: ThermostatDeps,
  { address, port }: { readonly address: string; readonly port: number },
): Module {
  let room: Room = coldRoom;
  let seenAt = clock.monotonic();

  const now = (): Room => {
    const at = clock.monotonic();
    room = advance(room, (at - seenAt) / 1_000);
    seenAt = at;
    return room;
  };
  const change = (what: Partial<Pick<Room, 'target' | 'enabled'>>): void => {
    room = { ...now(), ...what };
    log.info('the thermostat was set', { to: JSON.stringify(what) });
  };
  const only = <T>(at: number, read: () => T): T => {
    if (at !== 0) throw refusal(illegalAddress);
    return read();
  };

  const tables = {
    getInputRegister: (at: number) => only(at, () => Math.round(now().temperature * 10)),
    getDiscreteInput: (at: number) => only(at, () => now().heating),
    getHoldingRegister: (at: number) => only(at, () => Math.round(now().target * 10)),
    getCoil: (at: number) => only(at, () => now().enabled),
    setRegister: (at: number, value: number) =>
      only(at, () => {
        const target = value / 10;
        if (target < lowestTarget || target > highestTarget) throw refusal(illegalValue);
        change({ target });
      }),
    setCoil: (at: number, value: boolean) => only(at, () => change({ enabled: value })),
  };
  const identity = { 0: 'kedge', 1: 'thermostat', 2: '1.0' };
  // The library takes what is thrown for an answer only when it comes from a promise.
  const answers = Object.fromEntries(
    Object.entries(tables).map(([name, answer]) => [
      name,
      async (at: number, value: never): Promise<number | boolean | void> => answer(at, value),
    ]),
  );

  return {
    name: 'thermostat',
    async start(scope) {
      const { ServerTCP } = (await load('modbus-serial')) as ModbusLibrary;
      const server = new ServerTCP(
        { ...answers, readDeviceIdentification: async () => identity },
        { host: address, port, unitID: 1 },
      );
      server._server.maxConnections = maxConnections;
      scope.defer('Modbus server', () => new Promise((resolve) => server.close(() => resolve())));
      const failed = new Promise<never>((_, reject) => server.on('serverError', reject));
      for (const event of ['error', 'socketError'] as const) {
        server.on(event, (error) => log.debug('a request failed', { reason: explain(error) }));
      }
      await Promise.race([once(server._server, 'listening', { signal: scope.signal }), failed]);
      log.info('the thermostat answers', { address: `${address}:${port}` });
    },
  };
}

const refusal = (code: number): Error =>
  Object.assign(new Error(`Modbus exception ${code}`), { modbusErrorCode: code });
