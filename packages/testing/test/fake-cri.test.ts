// The container runtime in memory keeps the contract that the real one keeps.
import { describeCri } from '@kedge/testing/contracts';
import { FakeCri } from '@kedge/testing/cri';
import { systemClock } from '@kedge/platform/node';

describeCri('in memory', async () => {
  const image = 'docker.io/library/busybox:1.35';
  const fake = new FakeCri({ clock: systemClock, images: [image] });
  return { cri: fake.cri, image, logDirectory: '/logs', cgroupParent: '/test', close: () => Promise.resolve() };
});
