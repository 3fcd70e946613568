// What the server says when it refuses something.
import assert from 'node:assert/strict';
import { isStatus, type Status } from '@kedge/model/k8s';

/** The status of a request that has to be refused; anything else than a refusal fails the test. */
export async function refusal(run: Promise<unknown>): Promise<Status> {
  try {
    await run;
  } catch (error) {
    if (isStatus(error)) return error.status;
    throw error;
  }
  return assert.fail('the request was let through');
}
