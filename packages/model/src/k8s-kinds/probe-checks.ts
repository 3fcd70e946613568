// Checks of probes and lifecycle handlers.
import { checkHttpHeaderName, forbiddenField, invalidField, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { HTTPGetAction, Lifecycle, LifecycleHandler, Probe } from '../k8s-types/index.ts';
import { checkChoice, checkNonNegative, checkPort, checkPortOrName } from './checks.ts';

/** Every handler there is; a probe and a lifecycle hook have some of them. */
type Handlers = Pick<Probe, 'exec' | 'grpc' | 'httpGet' | 'tcpSocket'> & Pick<LifecycleHandler, 'sleep'>;

const handlerNames = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

function checkHandler(handlers: Handlers, gracePeriod: number | undefined, path: string): FieldError[] {
  const used = handlerNames.filter((name) => handlers[name] !== undefined);
  if (used.length === 0) return [requiredField(path, 'must specify a handler type')];
  const extra = used
    .slice(1)
    .map((name) => forbiddenField(`${path}.${name}`, 'may not specify more than 1 handler type'));
  return [...checkOne(handlers, used[0]!, gracePeriod, path), ...extra];
}

function checkOne(
  handlers: Handlers,
  name: (typeof handlerNames)[number],
  gracePeriod: number | undefined,
  path: string,
): FieldError[] {
  switch (name) {
    case 'exec':
      return handlers.exec?.command?.length ? [] : [requiredField(`${path}.exec.command`)];
    case 'httpGet':
      return checkHttpGet(handlers.httpGet!, `${path}.httpGet`);
    case 'tcpSocket':
      return checkPortOrName(handlers.tcpSocket!.port, `${path}.tcpSocket.port`);
    case 'grpc':
      return checkPort(handlers.grpc!.port ?? 0, `${path}.grpc.port`);
    case 'sleep':
      return checkSleep(handlers.sleep!.seconds, gracePeriod, path);
  }
}

function checkHttpGet(action: HTTPGetAction, path: string): FieldError[] {
  const headers = (action.httpHeaders ?? []).flatMap(({ name = '' }) =>
    checkHttpHeaderName(name).map((sentence) => invalidField(`${path}.httpHeaders`, name, sentence)),
  );
  return [
    ...(action.path ? [] : [requiredField(`${path}.path`)]),
    ...checkPortOrName(action.port, `${path}.port`),
    ...checkChoice(action.scheme, ['HTTP', 'HTTPS'], `${path}.scheme`),
    ...headers,
  ];
}

const checkSleep = (seconds = 0, gracePeriod: number | undefined, path: string): FieldError[] =>
  seconds < 1 || (gracePeriod !== undefined && seconds > Math.max(gracePeriod, 1))
    ? [
        invalidField(
          `${path}.sleep`,
          seconds,
          `must be greater than 0 and less than terminationGracePeriodSeconds (${gracePeriod ?? 0}). Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep.`,
        ),
      ]
    : [];

/** A liveness and a startup probe succeed at the first success. */
export function checkProbe(probe: Probe | undefined, path: string, successOnce: boolean): FieldError[] {
  if (!probe) return [];
  const counts = [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const;
  const grace = probe.terminationGracePeriodSeconds;
  return [
    ...checkHandler(probe, undefined, path),
    ...counts.flatMap((name) => checkNonNegative(probe[name], `${path}.${name}`)),
    ...(grace !== undefined && grace <= 0
      ? [invalidField(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0')]
      : []),
    ...(successOnce && probe.successThreshold !== 1
      ? [invalidField(`${path}.successThreshold`, probe.successThreshold, 'must be 1')]
      : []),
    ...(!successOnce && grace !== undefined
      ? [invalidField(`${path}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes')]
      : []),
  ];
}

export function checkLifecycle(
  lifecycle: Lifecycle | undefined,
  gracePeriod: number | undefined,
  path: string,
): FieldError[] {
  const { postStart, preStop } = lifecycle ?? {};
  return [
    ...(postStart ? checkHandler(postStart, gracePeriod, `${path}.postStart`) : []),
    ...(preStop ? checkHandler(preStop, gracePeriod, `${path}.preStop`) : []),
  ];
}
