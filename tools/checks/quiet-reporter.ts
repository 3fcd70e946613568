// A test reporter for people and logs: failures in full, skipped tests with their reason, slow tests with their time,
// and the totals at the end. Passing tests stay silent.
import type { TestEvent } from 'node:test/reporters';

const slowMs = 10_000;

/** The error that the test threw (the runner wraps it), with the messages of its causes. */
function describe(error: unknown): string {
  const wrapped = error as Error & { code?: string; cause?: unknown };
  let at: unknown = wrapped?.code === 'ERR_TEST_FAILURE' && wrapped.cause instanceof Error ? wrapped.cause : wrapped;
  const parts: string[] = [];
  while (at !== undefined && at !== null && parts.length < 5) {
    parts.push(at instanceof Error ? (at.stack ?? at.message) : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join('\ncaused by ');
}

export default async function* quiet(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const totals: string[] = [];
  for await (const event of source) {
    if (event.type === 'test:fail') {
      const { name, file, line, details } = event.data;
      const suite = (details.error as { failureType?: string }).failureType === 'subtestsFailed';
      if (!suite) yield `FAIL ${name}\n  at ${file}:${line}\n${describe(details.error).replace(/^/gm, '  ')}\n`;
    } else if (event.type === 'test:pass') {
      const { name, skip, details } = event.data;
      if (skip !== undefined) yield `skip ${name}${typeof skip === 'string' ? `: ${skip}` : ''}\n`;
      else if (details.type !== 'suite' && details.duration_ms > slowMs)
        yield `slow ${name} (${(details.duration_ms / 1_000).toFixed(1)} s)\n`;
    } else if (event.type === 'test:stderr' || event.type === 'test:stdout') {
      yield event.data.message;
    } else if (
      event.type === 'test:diagnostic' &&
      /^(tests|pass|fail|cancelled|skipped|todo|duration_ms) /.test(event.data.message) &&
      event.data.nesting === 0
    ) {
      totals.push(`# ${event.data.message}\n`);
    }
  }
  yield totals.join('');
}
