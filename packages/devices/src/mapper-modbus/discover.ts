// Looks for Modbus devices: which addresses answer, which units are behind them, what they call themselves, and which of their
// registers and coils can be read. Only functions that read are used, one request at a time, at a bounded rate.
import { connect } from 'node:net';
import { once } from 'node:events';
import { createRateLimit } from '@kedge/core/flow';
import { milliseconds, withTimeout } from '@kedge/core/time';
import {
  type DriverContext,
  fault,
  type FoundDevice,
  mapperErrors,
  objectName,
  parseHosts,
  parseNumbers,
  readConfig,
} from '../mapper-sdk/index.ts';
import type { Table } from './fields.ts';
import type { Lines, OpenLine, Outcome } from './line.ts';
import { type Line, type ModbusConfig, protocolConfig, readSettings } from './settings.ts';

type Options = Readonly<Record<string, string>>;

const keys = ['hosts', 'ports', 'serial', 'baudRate', 'parity', 'units', 'registers', 'rate', 'timeout'];

/** Addresses with a port, and units behind each of them. */
const maxPlaces = 4_096;
const maxUnits = 247;
const maxAddresses = 1_024;
/** Of one device: nobody reviews more. */
const maxProperties = 64;
const block = 16;
const tables = [
  { table: 'input', register: 'InputRegister', type: 'INT', access: 'ReadOnly' },
  { table: 'holding', register: 'HoldingRegister', type: 'INT', access: 'ReadWrite' },
  { table: 'discrete', register: 'DiscreteInputRegister', type: 'BOOLEAN', access: 'ReadOnly' },
  { table: 'coil', register: 'CoilRegister', type: 'BOOLEAN', access: 'ReadWrite' },
] as const satisfies readonly { table: Table; register: string; type: string; access: string }[];

/** Answers of a gateway that stand for silence. */
const noPath: ReadonlySet<number> = new Set([10, 11]);

interface Search {
  readonly units: readonly number[];
  readonly from: number;
  readonly to: number;
  readonly turn: () => Promise<void>;
  readonly timeoutMs: number;
  readonly context: DriverContext;
}

/**
 * For the SDK: `hosts` (127.0.0.1) and `ports` (502), or `serial` with `baudRate` and `parity`; `units` (1), `registers`
 * from 0 (0-31), `rate` in requests per second (50), `timeout` in milliseconds (300).
 */
export async function* findModbus(lines: Lines, options: Options, context: DriverContext): AsyncIterable<FoundDevice> {
  const unknown = Object.keys(options).filter((key) => !keys.includes(key));
  if (unknown.length > 0) {
    throw mapperErrors.BAD_CONFIG({
      where: 'the search',
      problems: [`${unknown[0]} is unknown; known: ${keys.join(', ')}`],
    });
  }
  const number = (key: string, fallback: number, minimum: number, maximum: number): number =>
    parseNumbers(options[key] ?? String(fallback), { what: key, minimum, maximum, limit: 1 })[0] ?? fallback;
  const registers = parseNumbers(options['registers'] ?? '0-31', {
    what: 'registers',
    minimum: 0,
    maximum: 65_535,
    limit: maxAddresses,
  });
  const limit = createRateLimit(context.clock, 'the next request of a search', {
    perSecond: number('rate', 50, 1, 1_000),
    burst: 1,
  });
  const search: Search = {
    units: parseNumbers(options['units'] ?? '1', { what: 'units', minimum: 0, maximum: 255, limit: maxUnits }),
    from: Math.min(...registers),
    to: Math.max(...registers),
    turn: () => limit(context.signal),
    timeoutMs: number('timeout', 300, 10, 10_000),
    context,
  };
  for (const config of placesOf(options)) {
    const { line } = readSettings(config);
    if (line.kind === 'tcp') {
      await search.turn();
      if (!(await answers(line, search))) continue;
    }
    for (const unit of search.units) {
      const found = await findUnit(lines, { ...config, slaveID: unit }, line, unit, search);
      if (found) yield found;
    }
  }
}

function placesOf(options: Options): readonly ModbusConfig[] {
  const { serial, baudRate, parity } = options;
  const place = (document: Readonly<Record<string, unknown>>): ModbusConfig =>
    readConfig(protocolConfig, document, 'the search');
  if (serial !== undefined) {
    const speed = baudRate === undefined ? {} : { baudRate };
    return [
      place({ communicateMode: 'RTU', serialPort: serial, ...speed, ...(parity === undefined ? {} : { parity }) }),
    ];
  }
  const hosts = parseHosts(options['hosts'] ?? '127.0.0.1', { what: 'hosts', limit: maxPlaces });
  const ports = parseNumbers(options['ports'] ?? '502', {
    what: 'ports',
    minimum: 1,
    maximum: 65_535,
    limit: maxPlaces,
  });
  if (hosts.length * ports.length > maxPlaces) {
    const problems = [`${hosts.length} hosts with ${ports.length} ports each: at most ${maxPlaces} together`];
    throw mapperErrors.BAD_CONFIG({ where: 'the search', problems });
  }
  return hosts.flatMap((ip) => ports.map((port) => place({ communicateMode: 'TCP', ip, port })));
}

/** Whether somebody takes the connection. */
async function answers(
  { host, port }: Extract<Line, { kind: 'tcp' }>,
  { timeoutMs, context }: Search,
): Promise<boolean> {
  context.signal.throwIfAborted();
  const socket = connect({ host, port });
  socket.on('error', () => undefined);
  try {
    await withTimeout(context.clock, 'a connection', milliseconds(timeoutMs), once(socket, 'connect'), () =>
      fault('Timeout', 'no connection'),
    );
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function findUnit(
  lines: Lines,
  config: ModbusConfig,
  line: Line,
  unit: number,
  search: Search,
): Promise<FoundDevice | undefined> {
  const { context } = search;
  let open: { readonly connection: OpenLine; release(): void };
  try {
    open = await lines.take(line, context.clock, context.signal);
  } catch (error) {
    context.signal.throwIfAborted();
    // Another program may have the only connection that the device allows, or the serial port.
    context.log.warn('not searched: no connection', { address: addressOf(line), err: error });
    return undefined;
  }
  try {
    return await examine(open.connection, config, line, unit, search);
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.warn('the search of a device ended early', { address: addressOf(line), err: error });
    return undefined;
  } finally {
    open.release();
  }
}

async function examine(
  line: OpenLine,
  config: ModbusConfig,
  place: Line,
  unit: number,
  search: Search,
): Promise<FoundDevice | undefined> {
  const { context, turn, timeoutMs } = search;
  const { signal } = context;
  const limits = { timeout: milliseconds(timeoutMs), patience: milliseconds(timeoutMs * 10), signal };
  const read = async (table: Table, address: number, count: number): Promise<Outcome<Uint8Array>> => {
    await turn();
    return line.read(unit, limits, { table, address, count });
  };

  // Any answer will do, a refusal too: it is somebody who refuses.
  const first = await read('holding', search.from, 1);
  if (first.kind === 'silent' || (first.kind === 'exception' && noPath.has(first.code))) return undefined;

  const properties: FoundDevice['properties'][number][] = [];
  for (const { table, register, type, access } of tables) {
    for (const [address, value] of await readable(read, table, search)) {
      if (properties.length >= maxProperties) break;
      properties.push({
        name: `${table}-${address}`,
        type,
        access,
        description: `was ${value} when it was found`,
        visitorConfig: { register, offset: address, limit: 1, ...(type === 'INT' ? { dataType: 'int16' } : {}) },
      });
    }
  }
  await turn();
  const said = await line.request(unit, limits, (client) => client.readDeviceIdentification(1, 0));
  const identity = said.kind === 'answer' ? Object.values(said.value.data).map(printable) : [];
  const where = addressOf(place);
  const { ip, port, serialPort, baudRate, parity } = config;
  return {
    name: objectName([identity[1] || 'modbus', where, ...(search.units.length > 1 ? [unit] : [])].join('-'), 'modbus'),
    description: `${identity.filter((text) => text !== '').join(' ') || 'a Modbus device'} at ${where}, unit ${unit}`,
    protocolConfig:
      place.kind === 'tcp'
        ? { communicateMode: 'TCP', ip, port, slaveID: unit }
        : { communicateMode: 'RTU', serialPort, baudRate, parity, slaveID: unit },
    properties,
  };
}

/** What can be read in a table, by halving what is refused until the holes are found. */
async function readable(
  read: (table: Table, address: number, count: number) => Promise<Outcome<Uint8Array>>,
  table: Table,
  { from, to }: Search,
): Promise<readonly (readonly [address: number, value: number | boolean])[]> {
  const found: [number, number | boolean][] = [];
  const waiting: [from: number, count: number][] = [];
  for (let at = from; at <= to; at += block) waiting.push([at, Math.min(block, to - at + 1)]);
  for (let next = waiting.shift(); next && found.length < maxProperties; next = waiting.shift()) {
    const [address, count] = next;
    const outcome = await read(table, address, count);
    if (outcome.kind === 'answer') {
      for (let n = 0; n < count; n++) found.push([address + n, valueAt(table, outcome.value, n)]);
    } else if (outcome.kind === 'exception' && outcome.code === 1) {
      return found;
    } else if (outcome.kind === 'exception' && count > 1) {
      const half = count >> 1;
      waiting.unshift([address, half], [address + half, count - half]);
    }
  }
  return found;
}

function valueAt(table: Table, bytes: Uint8Array, n: number): number | boolean {
  if (table === 'coil' || table === 'discrete') return ((bytes[n >> 3] ?? 0) & (1 << (n & 7))) !== 0;
  return (((bytes[n * 2] ?? 0) << 24) >> 16) | (bytes[n * 2 + 1] ?? 0);
}

const addressOf = (line: Line): string => (line.kind === 'tcp' ? `${line.host}:${line.port}` : line.path);

/** What a device says of itself may be anything. */
const printable = (text: unknown): string =>
  String(text)
    .replace(/[^\x20-\x7e]/g, '')
    .trim()
    .slice(0, 60);
