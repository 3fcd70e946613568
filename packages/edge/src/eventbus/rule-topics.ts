// The topics that the cloud's rules have this edge listen to, on disk: they outlive a restart, and the cloud says each once.
import type { Database } from '@kedge/core/ports';

export interface RuleTopics {
  list(): readonly string[];
  /** False: there are too many. */
  add(topic: string): Promise<boolean>;
  remove(topic: string): Promise<void>;
}

const manyTopics = 1_000;

export function createRuleTopics(db: Database): RuleTopics {
  const select = db.statement<{ topic: string }>('SELECT topic FROM rule_topic ORDER BY topic');
  const insert = db.statement('INSERT OR IGNORE INTO rule_topic VALUES (?)');
  const remove = db.statement('DELETE FROM rule_topic WHERE topic = ?');
  const topics = new Set(select.all().map(({ topic }) => topic));
  return {
    list: () => [...topics],
    async add(topic) {
      if (!topics.has(topic) && topics.size >= manyTopics) return false;
      topics.add(topic);
      await db.write(() => insert.run(topic));
      return true;
    },
    async remove(topic) {
      topics.delete(topic);
      await db.write(() => remove.run(topic));
    },
  };
}
