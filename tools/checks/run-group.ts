// Runs one group of tests: `node tools/checks/run-group.ts unit|process|e2e|conformance|lean-unit|lean|crio`.
import { runGroup, testGroups } from './test-groups.ts';

const groups = testGroups();
const group = groups[process.argv[2] as keyof typeof groups];
if (!group) throw new Error(`name one group: ${Object.keys(groups).join(', ')}`);
const { passed, failed, skipped } = await runGroup(group);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
