// Whether a topic matches a subscription, as MQTT 3.1.1 has it.

export function matchesFilter(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const segments = topic.split('/');
  // A wildcard does not stand for a first segment such as $SYS.
  if (topic.startsWith('$') && !filter.startsWith('$')) return false;
  for (const [n, part] of wanted.entries()) {
    if (part === '#') return true;
    if (n >= segments.length || (part !== '+' && part !== segments[n])) return false;
  }
  return wanted.length === segments.length;
}
