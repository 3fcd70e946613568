// Real container runtimes over our own gRPC client keep the contract, and are gone without a trace afterwards.
import { createFiles } from '@kedge/platform/node';
import { describeCri } from '@kedge/testing/contracts';
import { privateRuntime, runtimeKinds, runtimeMissing } from '@kedge/testing/runtime';

for (const kind of runtimeKinds)
  describeCri(
    kind,
    async () => {
      const runtime = await privateRuntime(kind);
      return {
        cri: runtime.cri,
        image: runtime.image,
        logDirectory: `${runtime.directory}/logs`,
        cgroupParent: runtime.site.cgroupRoot,
        makeDirectory: createFiles().makeDirectory,
        close: () => runtime.remove(),
      };
    },
    runtimeMissing(kind),
  );
