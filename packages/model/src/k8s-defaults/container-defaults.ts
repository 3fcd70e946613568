// Defaults of containers and their probes.
import type {
  Container,
  ContainerPort,
  EnvVar,
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  Probe,
} from '../k8s-types/index.ts';

/** The fields of a container that have defaults; ephemeral containers have them too. */
type Defaulted = Pick<
  Container,
  | 'env'
  | 'image'
  | 'imagePullPolicy'
  | 'lifecycle'
  | 'livenessProbe'
  | 'ports'
  | 'readinessProbe'
  | 'resources'
  | 'startupProbe'
  | 'terminationMessagePath'
  | 'terminationMessagePolicy'
>;

export function defaultContainer<C extends Defaulted>(container: C): C {
  const { env, ports, lifecycle, livenessProbe, readinessProbe, startupProbe } = container;
  return {
    ...container,
    imagePullPolicy: container.imagePullPolicy || defaultPullPolicy(container.image ?? ''),
    terminationMessagePath: container.terminationMessagePath || '/dev/termination-log',
    terminationMessagePolicy: container.terminationMessagePolicy || 'File',
    resources: container.resources ?? {},
    ...(env ? { env: env.map(defaultEnv) } : {}),
    ...(ports ? { ports: ports.map(defaultPort) } : {}),
    ...(lifecycle ? { lifecycle: defaultLifecycle(lifecycle) } : {}),
    ...(livenessProbe ? { livenessProbe: defaultProbe(livenessProbe) } : {}),
    ...(readinessProbe ? { readinessProbe: defaultProbe(readinessProbe) } : {}),
    ...(startupProbe ? { startupProbe: defaultProbe(startupProbe) } : {}),
  };
}

/** `latest` is pulled every time: written, or meant by a name with neither tag nor digest. */
export function defaultPullPolicy(image: string): 'Always' | 'IfNotPresent' {
  const [name = '', digest] = image.split('@');
  const lastPart = name.slice(name.lastIndexOf('/') + 1);
  const tag = lastPart.includes(':') ? lastPart.slice(lastPart.indexOf(':') + 1) : digest === undefined ? 'latest' : '';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function defaultEnv(variable: EnvVar): EnvVar {
  const fieldRef = variable.valueFrom?.fieldRef;
  if (!fieldRef) return variable;
  return {
    ...variable,
    valueFrom: { ...variable.valueFrom, fieldRef: { ...fieldRef, apiVersion: fieldRef.apiVersion || 'v1' } },
  };
}

const defaultPort = (port: ContainerPort): ContainerPort => ({ ...port, protocol: port.protocol || 'TCP' });

export function defaultProbe(probe: Probe): Probe {
  const { httpGet, grpc } = probe;
  return {
    ...probe,
    timeoutSeconds: probe.timeoutSeconds || 1,
    periodSeconds: probe.periodSeconds || 10,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
    ...(httpGet ? { httpGet: defaultHttpGet(httpGet) } : {}),
    ...(grpc ? { grpc: { ...grpc, service: grpc.service ?? '' } } : {}),
  };
}

const defaultHttpGet = (action: HTTPGetAction): HTTPGetAction => ({
  ...action,
  path: action.path || '/',
  scheme: action.scheme || 'HTTP',
});

const defaultHandler = (handler: LifecycleHandler): LifecycleHandler =>
  handler.httpGet ? { ...handler, httpGet: defaultHttpGet(handler.httpGet) } : handler;

const defaultLifecycle = ({ postStart, preStop, ...rest }: Lifecycle): Lifecycle => ({
  ...rest,
  ...(postStart ? { postStart: defaultHandler(postStart) } : {}),
  ...(preStop ? { preStop: defaultHandler(preStop) } : {}),
});
