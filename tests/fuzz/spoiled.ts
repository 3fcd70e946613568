// What the fuzz tests share: how good input goes bad, and what may come of it.
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { codeOf } from '@kedge/core/errors';
import { isStatus } from '@kedge/model/k8s';

/** The same every time, bounded, and with the smallest failing input in the report. */
export const runs = (numRuns: number) => ({ numRuns, seed: 20_261_123 });

/** An answer, or an error from a table or of the API: whoever called can tell whose fault it is. */
export function answersOrRefuses(work: () => unknown, input: unknown): void {
  try {
    work();
  } catch (error) {
    const isTyped = codeOf(error) !== undefined || isStatus(error);
    assert.ok(isTyped, `${JSON.stringify(input)?.slice(0, 500)}: ${(error as Error).stack}`);
    assert.ok((error as Error).message.length < 20_000, 'the complaint is no longer than it has to be');
  }
}

/** `text` with some characters changed, taken out, doubled or put in. */
export const spoiledText = (texts: readonly string[]): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom(...texts),
      fc.array(
        fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(3), fc.string({ unit: 'binary', maxLength: 4 })),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
    )
    .map(([text, changes]) =>
      changes.reduce((before, [where, how, what]) => {
        const at = Math.floor(where * before.length);
        if (how === 0) return before.slice(0, at) + before.slice(at + 1 + what.length);
        if (how === 1) return before.slice(0, at) + what + before.slice(at + what.length);
        if (how === 2) return before.slice(0, at) + before.slice(Math.max(0, at - 20), at) + before.slice(at);
        return before.slice(0, at) + what + before.slice(at);
      }, text),
    );

/** `document` with one value somewhere in it replaced by one of another kind. */
export const spoiledDocument = (documents: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc
    .tuple(fc.constantFrom(...documents), fc.nat(200), fc.jsonValue({ maxDepth: 2 }), fc.boolean())
    .map(([document, at, value, remove]) => {
      const copy: unknown = structuredClone(document);
      const places: [Record<string, unknown>, string][] = [];
      const walk = (node: unknown): void => {
        if (typeof node !== 'object' || node === null) return;
        for (const key of Object.keys(node)) {
          places.push([node as Record<string, unknown>, key]);
          walk((node as Record<string, unknown>)[key]);
        }
      };
      walk(copy);
      const place = places[at % Math.max(1, places.length)];
      if (!place) return value;
      if (remove) delete place[0][place[1]];
      else place[0][place[1]] = value;
      return copy;
    });
