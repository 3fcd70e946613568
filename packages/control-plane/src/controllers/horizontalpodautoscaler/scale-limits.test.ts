import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instant, instant } from '@kedge/core/time';
import type { HorizontalPodAutoscaler, HPAScalingRules } from '@kedge/model/k8s-types';
import { limitScale, noHistory, remember, type ScaleHistory } from './scale-limits.ts';

const now = instant(10_000_000);
const ago = (seconds: number): Instant => instant(now - seconds * 1_000);
const hpa = (
  bounds: { min?: number; max: number },
  behavior?: { scaleUp?: HPAScalingRules; scaleDown?: HPAScalingRules },
): HorizontalPodAutoscaler => ({
  metadata: { name: 'web' },
  spec: {
    scaleTargetRef: { kind: 'Deployment', name: 'web' },
    minReplicas: bounds.min ?? 1,
    maxReplicas: bounds.max,
    ...(behavior ? { behavior } : {}),
  },
});
const recommended = (...all: [replicas: number, secondsAgo: number][]): ScaleHistory => ({
  ...noHistory,
  recommendations: all.map(([replicas, seconds]) => ({ replicas, at: ago(seconds) })),
});

const table: [
  what: string,
  autoscaler: HorizontalPodAutoscaler,
  current: number,
  wanted: number,
  history: ScaleHistory,
  replicas: number,
  limited: string,
  stabilized?: string,
][] = [
  ['within bounds', hpa({ max: 10 }), 3, 5, noHistory, 5, 'DesiredWithinRange'],
  ['doubling at most', hpa({ max: 100 }), 10, 50, noHistory, 20, 'ScaleUpLimit'],
  ['four from one', hpa({ max: 100 }), 1, 50, noHistory, 4, 'ScaleUpLimit'],
  ['the maximum', hpa({ max: 6 }), 5, 50, noHistory, 6, 'TooManyReplicas'],
  ['the minimum', hpa({ min: 3, max: 6 }), 5, 1, noHistory, 3, 'TooFewReplicas'],
  [
    'a high recommendation of the last five minutes holds',
    hpa({ max: 10 }),
    8,
    2,
    recommended([7, 200], [9, 301]),
    7,
    'DesiredWithinRange',
    'ScaleDownStabilized',
  ],
  [
    'usual rules once any are given: four more or twice as many',
    hpa({ max: 100 }, { scaleDown: { stabilizationWindowSeconds: 0 } }),
    3,
    50,
    noHistory,
    7,
    'ScaleUpLimit',
  ],
  [
    'the smallest policy upwards',
    hpa(
      { max: 100 },
      {
        scaleUp: {
          selectPolicy: 'Min',
          policies: [
            { type: 'Pods', value: 4, periodSeconds: 60 },
            { type: 'Percent', value: 10, periodSeconds: 60 },
          ],
        },
      },
    ),
    20,
    50,
    noHistory,
    22,
    'ScaleUpLimit',
  ],
  [
    'what was added in the period counts',
    hpa({ max: 100 }, { scaleUp: { policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }] } }),
    13,
    50,
    { ...noHistory, ups: [{ change: 3, at: ago(30) }] },
    14,
    'ScaleUpLimit',
  ],
  [
    'and what is older does not',
    hpa({ max: 100 }, { scaleUp: { policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }] } }),
    13,
    50,
    { ...noHistory, ups: [{ change: 3, at: ago(61) }] },
    17,
    'ScaleUpLimit',
  ],
  [
    'one at a time downwards',
    hpa(
      { max: 100 },
      {
        scaleDown: {
          stabilizationWindowSeconds: 0,
          policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }],
        },
      },
    ),
    10,
    2,
    noHistory,
    9,
    'ScaleDownLimit',
  ],
  [
    'the gentler of two policies downwards',
    hpa(
      { max: 100 },
      {
        scaleDown: {
          selectPolicy: 'Min',
          stabilizationWindowSeconds: 0,
          policies: [
            { type: 'Pods', value: 5, periodSeconds: 60 },
            { type: 'Percent', value: 10, periodSeconds: 60 },
          ],
        },
      },
    ),
    20,
    2,
    noHistory,
    18,
    'ScaleDownLimit',
  ],
  [
    'disabled downwards',
    hpa({ max: 100 }, { scaleDown: { selectPolicy: 'Disabled', stabilizationWindowSeconds: 0 } }),
    10,
    2,
    noHistory,
    10,
    'ScaleDownLimit',
  ],
  [
    'a low recommendation within the window upwards',
    hpa({ max: 100 }, { scaleUp: { stabilizationWindowSeconds: 60 } }),
    5,
    9,
    recommended([6, 30]),
    6,
    'DesiredWithinRange',
    'ScaleUpStabilized',
  ],
];

for (const [what, autoscaler, current, wanted, history, replicas, reason, stabilized] of table) {
  test(`${what}: from ${current}, wanted ${wanted}, comes ${replicas}`, () => {
    const got = limitScale(autoscaler, current, wanted, history, now);
    assert.deepEqual([got.replicas, got.limited.reason, got.stabilized?.reason], [replicas, reason, stabilized]);
    assert.equal(got.limited.status, reason === 'DesiredWithinRange' ? 'False' : 'True');
  });
}

test('the history ends where no rule looks any more', () => {
  let history = noHistory;
  for (let at = 0; at < 600; at++) history = remember(history, instant(at * 15_000), { recommended: at, change: -1 });
  assert.equal(history.recommendations.length, 240);
  assert.equal(history.downs.length, 240);
  assert.deepEqual(history.ups, []);
});
