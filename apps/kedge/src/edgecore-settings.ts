// What edgecore's starter hands to the daemon: settings that were read and checked. They travel in the environment, so
// that the daemon needs neither the YAML reader nor the schemas; the daemon takes them out of it at once.
import { type Secret, secret } from '@kedge/core/log';
import type { EdgeCoreConfig } from '@kedge/model/componentconfig';

const variable = 'KEDGE_EDGECORE_SETTINGS';
/** What the starter runs on, which the daemon may not. */
export const starterVariable = 'KEDGE_EDGECORE_STARTER';

export interface EdgeCoreSettingsRead {
  readonly config: EdgeCoreConfig;
  /** Sentences for the log. */
  readonly warnings: readonly string[];
}

/** Secrets do not turn into text by themselves. */
interface Handed extends EdgeCoreSettingsRead {
  readonly token: string | undefined;
  readonly mqttPassword: string | undefined;
  readonly insidePassword: string | undefined;
}

/** `environment` with the settings added. */
export function handOver(
  { config, warnings }: EdgeCoreSettingsRead,
  environment: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const identity = { ...config.identity, token: undefined };
  const handed: Handed = {
    config: { ...config, identity },
    warnings,
    token: config.identity.token?.reveal(),
    mqttPassword: config.eventBus?.broker?.credentials?.password.reveal(),
    insidePassword: config.eventBus?.inside?.credentials?.password.reveal(),
  };
  return { ...environment, [variable]: JSON.stringify(handed) };
}

/** Takes the settings out of `environment`: programs that the daemon runs have no business with them. */
export function takeOver(environment: NodeJS.ProcessEnv): EdgeCoreSettingsRead {
  const text = environment[variable];
  delete environment[variable];
  if (text === undefined) throw new Error('this program is started by "kedge edgecore", not by itself');
  const { config, warnings, token, mqttPassword, insidePassword } = JSON.parse(text) as Handed;
  const { identity, eventBus } = config;
  return {
    config: {
      ...config,
      identity: { ...identity, token: token === undefined ? token : secret(token) },
      eventBus: eventBus && {
        ...eventBus,
        broker: eventBus.broker && withPassword(eventBus.broker, mqttPassword),
        inside: eventBus.inside && withPassword(eventBus.inside, insidePassword),
      },
    },
    warnings,
  };
}

interface Locked {
  readonly credentials: { readonly username: string; readonly password: Secret<string> } | undefined;
}

const withPassword = <T extends Locked>(broker: T, password: string | undefined): T => ({
  ...broker,
  credentials:
    broker.credentials && password !== undefined
      ? { username: broker.credentials.username, password: secret(password) }
      : undefined,
});
