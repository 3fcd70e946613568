// Which port a probe or hook means: a number, or the name of a port of the container.
import type { Container } from '@kedge/model/k8s-types';

export function portNumber(container: Container, port: number | string): number | undefined {
  if (typeof port === 'number') return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  return named ?? (/^\d+$/.test(port) ? Number(port) : undefined);
}
