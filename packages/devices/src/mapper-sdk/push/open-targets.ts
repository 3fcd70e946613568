// Which targets a push method names. HTTP, MQTT and OpenTelemetry exclude each other, as in KubeEdge; databases do not.
import type { DmiPushMethod } from '@kedge/wire/dmi';
import type { PushDeps, PushTarget } from './target.ts';
import { httpTarget } from './http-target.ts';
import { influxTarget } from './influx-target.ts';
import { mqttTarget } from './mqtt-target.ts';
import { otelTarget } from './otel-target.ts';
import { redisTarget } from './redis-target.ts';
import { sqlTarget } from './sql-target.ts';
import { tdengineTarget } from './tdengine-target.ts';

export function openTargets(push: DmiPushMethod, deps: PushDeps): [kind: string, open: () => PushTarget][] {
  const targets: [string, () => PushTarget][] = [];
  const { http, mqtt, otel, dbMethod } = push;
  if (http?.hostname) targets.push(['http', () => httpTarget(http, deps)]);
  else if (mqtt?.address) targets.push(['mqtt', () => mqttTarget(mqtt, deps)]);
  else if (otel?.endpointURL) targets.push(['otel', () => otelTarget(otel.endpointURL ?? '', deps)]);
  const { influxdb2, redis, tdengine, mysql } = dbMethod ?? {};
  if (influxdb2?.influxdb2ClientConfig?.url) targets.push(['influxdb2', () => influxTarget(influxdb2, deps)]);
  const redisConfig = redis?.redisClientConfig;
  if (redisConfig?.addr) targets.push(['redis', () => redisTarget(redisConfig, deps)]);
  const tdengineConfig = tdengine?.tdEngineClientConfig;
  if (tdengineConfig?.addr) targets.push(['tdengine', () => tdengineTarget(tdengineConfig, deps)]);
  const mysqlConfig = mysql?.mysqlClientConfig;
  if (mysqlConfig?.addr) targets.push(['mysql', () => sqlTarget(mysqlConfig, deps)]);
  return targets;
}
