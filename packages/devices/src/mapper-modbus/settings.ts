// Configuration of Modbus devices: the keys of KubeEdge's Modbus mappers, and explicit data types and byte orders beside them.
import { choice, decimal, flag, integer, object, optional, text } from '@kedge/core/config';
import type { DocumentOf } from '@kedge/core/config';
import { type Duration, seconds } from '@kedge/core/time';
import { mapperErrors, required } from '../mapper-sdk/index.ts';

export const protocolConfig = object({
  communicateMode: optional(
    choice('TCP', ['TCP', 'RTU'], { description: 'absent: TCP with an ip, RTU with a serialPort' }),
  ),
  ip: optional(text('')),
  port: integer(502, { minimum: 1, maximum: 65_535 }),
  slaveID: integer(1, { minimum: 0, maximum: 255 }),
  serialPort: optional(text('')),
  serialName: optional(text('', { description: 'another name of serialPort' })),
  baudRate: integer(9_600, { minimum: 50, maximum: 4_000_000 }),
  dataBits: integer(8, { minimum: 5, maximum: 8 }),
  stopBits: integer(1, { minimum: 1, maximum: 2 }),
  parity: text('none', { description: 'even or odd; anything else is none' }),
  rs485Enabled: flag(false, { description: 'the adapter or the kernel turns the line around' }),
  timeout: decimal(5, { minimum: 0.05, maximum: 60, description: 'seconds, for each request' }),
});
export type ModbusConfig = DocumentOf<typeof protocolConfig>;

export const byteOrders = ['ABCD', 'DCBA', 'BADC', 'CDAB'] as const;
export const dataTypes = [
  'int',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float',
  'double',
  'string',
  'bytes',
  'boolean',
  'bit',
] as const;
const registers = ['CoilRegister', 'DiscreteInputRegister', 'HoldingRegister', 'InputRegister'] as const;

export const visitorConfig = object({
  register: required(choice('HoldingRegister', registers, { description: registers.join(', ') })),
  offset: required(integer(0, { minimum: 0, maximum: 65_535, description: 'the address, counted from 0' })),
  limit: optional(integer(1, { minimum: 1, maximum: 2_000, description: 'how many registers or coils' })),
  dataType: optional(choice('int', dataTypes, { description: 'absent: as the property has it' })),
  byteOrder: optional(choice('ABCD', byteOrders, { description: 'instead of isSwap and isRegisterSwap' })),
  isSwap: flag(false, { description: 'the bytes of each register are swapped' }),
  isRegisterSwap: flag(false, { description: 'the last register comes first' }),
  bit: integer(0, { minimum: 0, maximum: 15, description: 'for dataType bit; 0 is the lowest' }),
});
export type ModbusVisitor = DocumentOf<typeof visitorConfig>;

export type Line =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | {
      readonly kind: 'rtu';
      readonly path: string;
      readonly baudRate: number;
      readonly dataBits: number;
      readonly stopBits: number;
      readonly parity: 'none' | 'even' | 'odd';
    };

export interface Settings {
  readonly line: Line;
  readonly unit: number;
  readonly timeout: Duration;
}

/** Throws MAPPER_BAD_CONFIG for what no schema says. */
export function readSettings(config: ModbusConfig): Settings {
  const bad = (problem: string): Error =>
    mapperErrors.BAD_CONFIG({ where: 'spec.protocol.configData', problems: [problem] });
  const path = config.serialPort || config.serialName;
  const mode = config.communicateMode ?? (config.ip ? 'TCP' : path ? 'RTU' : undefined);
  const common = { unit: config.slaveID, timeout: seconds(config.timeout) };
  switch (mode) {
    case 'TCP':
      if (!config.ip) throw bad('ip is not set: communicateMode TCP needs the address of the device');
      return { ...common, line: { kind: 'tcp', host: config.ip, port: config.port } };
    case 'RTU': {
      if (!path) throw bad('serialPort is not set: communicateMode RTU needs one, such as /dev/ttyUSB0');
      // 0 is for everybody, and nobody answers it.
      if (config.slaveID < 1 || config.slaveID > 247) throw bad(`slaveID is ${config.slaveID}, needs 1 to 247`);
      const { baudRate, dataBits, stopBits } = config;
      const asked = config.parity.toLowerCase();
      const parity = asked === 'even' || asked === 'odd' ? asked : 'none';
      return { ...common, line: { kind: 'rtu', path, baudRate, dataBits, stopBits, parity } };
    }
    default:
      throw bad('ip or serialPort is not set: one of them says where the device is');
  }
}
