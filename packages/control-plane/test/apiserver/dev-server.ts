// Runs the API server alone on a directory, for trying it by hand: node dev-server.ts DIRECTORY [PORT].
// Writes DIRECTORY/kubeconfig and stays until it is interrupted.
import { startTestServer } from './test-server.ts';

const [directory = '', port = '0'] = process.argv.slice(2);
const server = await startTestServer({ directory, port: Number(port), level: 'warn' });
process.stdout.write(`KUBECONFIG=${server.kubeconfigPath} took ${Math.round(performance.now())} ms\n`);
process.once('SIGINT', () => void server.stop());
process.once('SIGTERM', () => void server.stop());
