// Why there is no connection to the broker, where that is our doing.
import { defineErrors } from '@kedge/core/errors';

export const eventBusErrors = defineErrors('EVENTBUS', {
  NO_CA: {
    retry: 'backoff',
    say: (d: { path: string }) =>
      `there is no CA file ${d.path}; modules.eventBus.eventBusTLS.tlsMqttCAFile names the one that signed the broker's certificate`,
  },
  NO_FILE: {
    retry: 'backoff',
    say: (d: { path: string }) =>
      `there is no file ${d.path} for the TLS of the MQTT broker inside; modules.eventBus.internalBroker names the files`,
  },
});
