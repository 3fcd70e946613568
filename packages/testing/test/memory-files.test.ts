// The file system in memory keeps the contract that the real one keeps.
import { describeFiles } from '@kedge/testing/contracts';
import { createMemoryFiles } from '@kedge/testing/files';

const files = createMemoryFiles();
let serial = 0;
describeFiles('in memory', files, async () => {
  serial += 1;
  await files.makeDirectory(`/test/${serial}`);
  return `/test/${serial}`;
});
