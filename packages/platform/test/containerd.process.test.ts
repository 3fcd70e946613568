// A real containerd over our own gRPC client keeps the contract, and is gone without a trace afterwards.
import { containerdMissing, privateContainerd } from '@kedge/testing/containerd';
import { describeCri } from '@kedge/testing/contracts';

describeCri(
  'containerd',
  async () => {
    const runtime = await privateContainerd();
    return {
      cri: runtime.cri,
      image: runtime.image,
      logDirectory: `${runtime.directory}/logs`,
      cgroupParent: runtime.site.cgroupRoot,
      close: () => runtime.remove(),
    };
  },
  containerdMissing(),
);
