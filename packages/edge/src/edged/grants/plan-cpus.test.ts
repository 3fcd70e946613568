import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatCpus, parseCpus, type Processor, takeCpus } from './plan-cpus.ts';

/** Two sockets of two cores of two threads: threads of a core are four apart, as on real machines. */
const twoSockets: Processor[] = [0, 1, 2, 3, 4, 5, 6, 7].map((cpu) => ({
  cpu,
  core: cpu % 2,
  socket: Math.floor((cpu % 4) / 2),
}));
const fourCores: Processor[] = [0, 1, 2, 3].map((cpu) => ({ cpu, core: cpu, socket: 0 }));

describe('processors of its own', () => {
  const table: [what: string, topology: Processor[], free: string, count: number, taken: string | undefined][] = [
    ['are the first ones where all are alike', fourCores, '1-3', 2, '1-2'],
    ['are a whole core', twoSockets, '0-7', 2, '0,4'],
    ['are a whole socket', twoSockets, '0-7', 4, '0-1,4-5'],
    ['are whole cores of the socket that has fewer left', twoSockets, '1-7', 2, '1,5'],
    ['are the other half of a core that is begun', twoSockets, '1-7', 1, '4'],
    ['are all of one socket and some of the next', twoSockets, '0-7', 5, '0-2,4-5'],
    ['are refused where there are not as many', fourCores, '1-3', 4, undefined],
  ];
  for (const [what, topology, free, count, taken] of table) {
    test(what, () => {
      const found = takeCpus(parseCpus(free)!, count, topology);
      assert.equal(found && formatCpus(found), taken);
    });
  }
});

test('lists of processors are read as they are written', () => {
  for (const text of ['', '0', '0-3', '0,2,4-6']) assert.equal(formatCpus(parseCpus(text)!), text);
  for (const text of ['a', '3-1', '1;2', '-1', '999999']) assert.equal(parseCpus(text), undefined);
});
