import { describeMqtt } from '@kedge/testing/contracts';
import { FakeBroker } from '@kedge/testing/mqtt';

describeMqtt('the fake broker', async (_, { user }) => {
  const broker = new FakeBroker();
  if (user) broker.passwords = new Map([[user.username, user.password]]);
  return { mqtt: broker, url: broker.url, stop: async () => broker.stop() };
});
