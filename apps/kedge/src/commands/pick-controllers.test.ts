import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controllerNames } from '@kedge/control-plane/controllers';
import { pickControllers } from './pick-controllers.ts';

const picked = (...list: string[]): string[] => controllerNames.filter(pickControllers(list));

test('controllers are picked as kube-controller-manager picks them', () => {
  assert.deepEqual(picked('*'), [...controllerNames]);
  assert.deepEqual(picked('*', '-job-controller').length, controllerNames.length - 1);
  assert.deepEqual(picked('job-controller', ' namespace-controller'), ['namespace-controller', 'job-controller']);
  assert.deepEqual(picked('-*'), []);
  assert.deepEqual(picked('-*', 'job-controller'), ['job-controller']);
  assert.deepEqual(picked('job-controller', '-job-controller'), []);
});

test('a controller that does not exist is named', () => {
  assert.throws(
    () => pickControllers(['*', '-jobs']),
    /there is no controller "jobs"; there are namespace-controller, /,
  );
});
