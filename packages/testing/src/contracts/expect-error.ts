// Says whether an error is the one of a table, for `assert.rejects` and `assert.throws`.
import { codeOf } from '@kedge/core/errors';

export const withCode =
  (code: string) =>
  (error: unknown): boolean => {
    if (codeOf(error) === code) return true;
    throw new Error(`expected ${code}`, { cause: error });
  };
