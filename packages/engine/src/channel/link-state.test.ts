import assert from 'node:assert/strict';
import { test } from 'node:test';
import { milliseconds, seconds } from '@kedge/core/time';
import { type LinkEvent, type LinkState, nextLinkState } from './index.ts';

type State = LinkState<string>;
const why = new Error('lost');
const lost = (at: number, chance = 0): LinkEvent<string> => ({ on: 'lost', why, chance, now: milliseconds(at) });
const offline = (attempt: number, retryIn: number): State => ({
  at: 'offline',
  attempt,
  retryIn: milliseconds(retryIn),
  why,
});
const online = (since: number): State => ({ at: 'online', session: 's', since: milliseconds(since) });
const dialing = (attempt: number): State => ({ at: 'dialing', attempt });

const table: readonly [name: string, from: State, event: LinkEvent<string>, to: State][] = [
  ['dialling counts attempts', offline(3, 1), { on: 'dial' }, dialing(4)],
  ['an answer is online', dialing(4), { on: 'opened', session: 's', now: milliseconds(5) }, online(5)],
  ['a failed dial waits', dialing(1), lost(0), offline(1, 4_000)],
  ['the waits double', dialing(3), lost(0), offline(3, 16_000)],
  ['the waits have an end', dialing(20), lost(0), offline(20, 30_000)],
  ['chance shortens a wait, by four fifths at most', dialing(20), lost(0, 1), offline(20, 6_000)],
  ['a link that held starts over', online(0), lost(seconds(31)), offline(0, 2_000)],
  ['a link that broke at once was no success', online(0), lost(seconds(1)), offline(1, 4_000)],
];

for (const [name, from, event, to] of table) {
  test(`link state: ${name}`, () => assert.deepEqual(nextLinkState(from, event), to));
}
