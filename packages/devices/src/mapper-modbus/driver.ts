// Modbus devices over TCP and serial lines.
import { type Duration, milliseconds, seconds } from '@kedge/core/time';
import {
  defineMapper,
  type DriverContext,
  fault,
  type MapperDriver,
  type Point,
  type RawValue,
  type Reading,
  refused,
} from '../mapper-sdk/index.ts';
import { findModbus } from './discover.ts';
import { decode, encodeBits, encodeRegisters, type Field, fieldOf } from './fields.ts';
import { Lines, type ModbusClient, type OpenLine, type Outcome } from './line.ts';
import { cut, planReads, type PlannedRead } from './plan-reads.ts';
import { type ModbusConfig, type ModbusVisitor, protocolConfig, readSettings, visitorConfig } from './settings.ts';

export interface ModbusDeps {
  /** modbus-serial: not bundled, because it brings native code. */
  load(name: string): Promise<unknown>;
}

/** The SDK gives up on a call after 10 s; what is not asked by then is said to be. */
const patience = seconds(9);

export function createModbusMapper({ load }: ModbusDeps): MapperDriver<ModbusConfig, ModbusVisitor> {
  const lines = new Lines(async () => new ((await load('modbus-serial')) as new () => ModbusClient)());
  return defineMapper({
    name: 'modbus-mapper',
    protocol: 'modbus',
    version: '1.0.0',
    protocolConfig,
    visitorConfig,
    async open(config, context) {
      const settings = readSettings(config);
      if (config.rs485Enabled) {
        context.log.warn('rs485Enabled has no effect here: the adapter or the kernel has to turn the line around');
      }
      const { connection: line, release } = await lines.take(settings.line, context.clock, context.signal);
      const device = new Device(line, settings.unit, settings.timeout, context);
      return {
        lost: line.lost,
        read: (points, signal) => device.read(points, signal),
        write: (point, value, signal) => device.write(point, value, signal),
        close: async () => release(),
      };
    },
    discover: (options, context) => findModbus(lines, options, context),
  });
}

class Device {
  readonly #line: OpenLine;
  readonly #unit: number;
  readonly #timeout: Duration;
  readonly #clock: DriverContext['clock'];
  /** Properties that cannot be read together with their neighbours. */
  readonly #alone = new Set<string>();

  constructor(line: OpenLine, unit: number, timeout: Duration, { clock }: DriverContext) {
    this.#line = line;
    this.#unit = unit;
    this.#timeout = timeout;
    this.#clock = clock;
  }

  async read(points: readonly Point<ModbusVisitor>[], signal: AbortSignal): Promise<Reading[]> {
    const readings: Reading[] = [];
    const fields: Field[] = [];
    for (const point of points) {
      try {
        fields.push(fieldOf(point));
      } catch (error) {
        readings.push({ property: point.property, error: error as Error });
      }
    }
    const end = this.#clock.monotonic() + patience;
    const waiting: PlannedRead[] = planReads(fields, this.#alone);
    let silent = false;
    for (let read = waiting.shift(); read; read = waiting.shift()) {
      const left = end - this.#clock.monotonic();
      // A device that was silent once may be so again: only as long as that leaves time.
      if (left <= 0 || (silent && left < this.#timeout)) {
        readings.push(...fail(read, fault('Timeout', 'not asked: the device took all the time')));
        continue;
      }
      let outcome: Outcome<Uint8Array>;
      const timeout = milliseconds(Math.min(this.#timeout, left));
      try {
        outcome = await this.#line.read(this.#unit, { timeout, patience: milliseconds(left), signal }, read);
      } catch (error) {
        if (!isBusy(error)) throw error;
        readings.push(...fail(read, error as Error));
        continue;
      }
      if (outcome.kind === 'answer') {
        for (const field of read.fields) {
          readings.push({ property: field.property, value: decode(field, cut(read, field, outcome.value)) });
        }
      } else if (outcome.kind === 'exception' && (outcome.code === 2 || outcome.code === 3) && read.fields.length > 1) {
        // There may be a hole in the device's addresses: whom that concerns is found out one by one, and remembered.
        for (const { property } of read.fields) this.#alone.add(property);
        waiting.unshift(...planReads(read.fields, this.#alone));
      } else {
        silent ||= outcome.kind === 'silent';
        readings.push(...fail(read, this.#faultOf(outcome)));
      }
    }
    return readings;
  }

  async write(point: Point<ModbusVisitor>, value: RawValue, signal: AbortSignal): Promise<void> {
    const field = fieldOf(point);
    const what = `"${point.property}"`;
    const limits = { timeout: milliseconds(Math.min(this.#timeout, patience)), patience, signal };
    const outcome = await this.#line.request(this.#unit, limits, requestOf(field, value)).catch((error: unknown) => {
      if (isBusy(error)) throw refused(what, 'other devices on the line took all the time', error);
      throw error;
    });
    if (outcome.kind !== 'answer') {
      const error = this.#faultOf(outcome);
      throw refused(what, error.message, error);
    }
  }

  #faultOf(outcome: Exclude<Outcome<unknown>, { kind: 'answer' }>): Error {
    switch (outcome.kind) {
      case 'exception':
        return fault('ModbusException', `exception ${outcome.code}: ${exceptions[outcome.code] ?? 'unknown'}`);
      case 'silent':
        return fault('Timeout', `slave ${this.#unit} did not answer within ${this.#timeout} ms`);
      case 'garbled':
        return fault('BadAnswer', `slave ${this.#unit} answers what was not asked: ${outcome.why}`);
    }
  }
}

const exceptions: Readonly<Record<number, string>> = {
  1: 'illegal function',
  2: 'illegal data address',
  3: 'illegal data value',
  4: 'the device failed',
  5: 'accepted, and takes long',
  6: 'the device is busy',
  8: 'parity error in its memory',
  10: 'the gateway has no path',
  11: 'the device behind the gateway does not answer',
};

const fail = (read: PlannedRead, error: Error): Reading[] => read.fields.map(({ property }) => ({ property, error }));
const isBusy = (error: unknown): boolean =>
  (error as { details?: { reason?: string } } | undefined)?.details?.reason === 'LineBusy';

/** Throws when the table is read-only or the value does not fit. */
function requestOf(field: Field, value: RawValue): (client: ModbusClient) => Promise<unknown> {
  const { table, address, count, kind } = field;
  switch (table) {
    case 'discrete':
    case 'input':
      throw refused(`"${field.property}"`, 'inputs are read-only');
    case 'coil': {
      const bits = encodeBits(field, value);
      return (client) => (count === 1 ? client.writeCoil(address, bits[0]!) : client.writeCoils(address, bits));
    }
    case 'holding': {
      const bytes = encodeRegisters(field, value);
      const words = Array.from({ length: count }, (_, at) => (bytes[at * 2]! << 8) | bytes[at * 2 + 1]!);
      if (kind === 'bit') return (client) => writeBit(client, field, words[0]!);
      return (client) =>
        count === 1 ? client.writeRegister(address, words[0]!) : client.writeRegisters(address, words);
    }
  }
}

/** The other bits of the register stay. Devices that cannot do that by themselves have it read and written back. */
async function writeBit(client: ModbusClient, field: Field, set: number): Promise<void> {
  const [high, low] = encodeRegisters(field, true);
  const mask = (high! << 8) | low!;
  try {
    await client.maskWriteRegister(field.address, ~mask & 0xffff, set);
  } catch (error) {
    if ((error as { modbusCode?: number }).modbusCode !== 1) throw error;
    const { buffer } = await client.readHoldingRegisters(field.address, 1);
    await client.writeRegister(field.address, (((buffer[0]! << 8) | buffer[1]!) & ~mask) | set);
  }
}
