// Works out which NAT rules the CNI plugins left behind for one network, when they had no chance to undo them; pure.
// The plugins mark their rules with a comment that names the network, and give each pod chains of its own.

/** Input for `iptables-restore --noflush` that takes the network's rules and chains out of `saved`; '' when there are none. */
export function planRuleRemoval(saved: string, network: string): string {
  const rules = saved.split('\n').filter((line) => line.startsWith('-A '));
  const isOurs = (rule: string): boolean => rule.includes(`\\"${network}\\"`) || rule.includes(`name: "${network}"`);
  const chains = new Set<string>();
  for (const rule of rules) {
    if (!isOurs(rule)) continue;
    for (const name of [/^-A (\S+)/.exec(rule)?.[1], / -j (\S+)/.exec(rule)?.[1]]) {
      if (name && /^CNI-(?:DN-|SN-)?[0-9a-f]{8,}$/.test(name)) chains.add(name);
    }
  }
  const isChainRule = (rule: string): boolean => chains.has(/^-A (\S+)/.exec(rule)?.[1] ?? '');
  const removals = rules.filter((rule) => isOurs(rule) && !isChainRule(rule)).map((rule) => rule.replace('-A', '-D'));
  const emptied = [...chains].flatMap((chain) => [`-F ${chain}`]);
  const dropped = [...chains].map((chain) => `-X ${chain}`);
  return removals.length + chains.size === 0
    ? ''
    : ['*nat', ...removals, ...emptied, ...dropped, 'COMMIT', ''].join('\n');
}
