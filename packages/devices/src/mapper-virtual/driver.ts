// Values from nowhere: what was written, numbers at random as KubeEdge's virtual mapper makes them, and courses that
// are the same each time.
import { choice, decimal, integer, object, optional, text } from '@kedge/core/config';
import type { DocumentOf } from '@kedge/core/config';
import type { PropertyType } from '@kedge/model/kubeedge';
import { defineMapper, type Point, type RawValue, type Reading, refused } from '../mapper-sdk/index.ts';

/** The keys of KubeEdge's virtual device; nothing depends on them. */
const protocolConfig = object({
  deviceID: optional(text('')),
  protocolID: optional(text('')),
  serialPort: optional(text('')),
  baudRate: optional(integer(9_600)),
  dataBits: optional(integer(8)),
  stopBits: optional(integer(1)),
  parity: optional(text('')),
});

const visitorConfig = object({
  dataType: optional(
    choice('int', ['int', 'float', 'string', 'boolean'], { description: 'absent: as the property has it' }),
  ),
  generator: optional(
    choice('random', ['random', 'counter', 'sine', 'memory'], {
      description: 'absent: random for numbers, memory for everything else',
    }),
  ),
  seed: optional(
    integer(0, { minimum: 0, maximum: 0xffff_ffff, description: 'of random: the same numbers each time' }),
  ),
  start: decimal(0, { description: 'of counter' }),
  step: decimal(1, { description: 'of counter' }),
  mean: decimal(0, { description: 'of sine' }),
  amplitude: decimal(1, { description: 'of sine' }),
  period: decimal(60, { minimum: 0.001, description: 'of sine, seconds' }),
  initial: optional(text('', { description: 'of memory, before anything is written' })),
});
export type VirtualVisitor = DocumentOf<typeof visitorConfig>;

/** What random stays below as long as nobody desires anything. */
const limit = 100;

interface Generator {
  read(): RawValue;
  write(value: RawValue): void;
}

export const virtualMapper = defineMapper({
  name: 'virtual-mapper',
  protocol: 'virtualProtocol',
  version: '1.0.0',
  protocolConfig,
  visitorConfig,
  async open(_, { clock, random }) {
    const generators = new Map<string, Generator>();
    const of = (point: Point<VirtualVisitor>): Generator => {
      const known = generators.get(point.property);
      if (known) return known;
      const made = createGenerator(
        point,
        () => clock.now(),
        () => random.next(),
      );
      generators.set(point.property, made);
      return made;
    };
    return {
      read: async (points) => points.map((point): Reading => ({ property: point.property, value: of(point).read() })),
      write: async (point, value) => of(point).write(value),
      close: async () => undefined,
    };
  },
});

function createGenerator(
  { property, type, visitor }: Point<VirtualVisitor>,
  now: () => number,
  chance: () => number,
): Generator {
  const dataType = visitor.dataType ?? dataTypeOf[type] ?? 'string';
  const isNumber = dataType === 'int' || dataType === 'float';
  const numberOf = (value: RawValue): number => {
    const number = value instanceof Uint8Array ? Number.NaN : Number(value);
    if (!Number.isFinite(number)) throw refused(`"${property}"`, 'the value is no number');
    return number;
  };
  switch (visitor.generator ?? (isNumber ? 'random' : 'memory')) {
    case 'random': {
      let below = limit;
      const next = visitor.seed === undefined ? chance : seeded(visitor.seed);
      return {
        read: () => (dataType === 'float' ? next() * below : Math.floor(next() * below)),
        write: (value) => void (below = numberOf(value)),
      };
    }
    case 'counter': {
      let value = visitor.start;
      return {
        read: () => {
          const shown = value;
          value += visitor.step;
          return shown;
        },
        write: (written) => void (value = numberOf(written)),
      };
    }
    case 'sine':
      return {
        read: () => {
          const turns = now() / 1_000 / visitor.period;
          return visitor.mean + visitor.amplitude * Math.sin(2 * Math.PI * (turns % 1));
        },
        write: () => {
          throw refused(`"${property}"`, 'a sine takes no values');
        },
      };
    case 'memory': {
      let value: RawValue = visitor.initial ?? initials[dataType];
      return { read: () => value, write: (written) => void (value = written) };
    }
  }
}

const dataTypeOf: Readonly<Partial<Record<PropertyType, 'int' | 'float' | 'boolean'>>> = {
  INT: 'int',
  FLOAT: 'float',
  DOUBLE: 'float',
  BOOLEAN: 'boolean',
};
const initials = { int: 0, float: 0, string: '', boolean: false } as const;

/** Numbers in [0, 1) that only the seed decides on (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
