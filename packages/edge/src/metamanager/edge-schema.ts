// The tables of the edge database. Steps run once, in order; a step that has shipped is never edited.
import type { Migration } from '@kedge/core/ports';

export const edgeMigrations: readonly Migration[] = [
  {
    name: '1 objects, tokens, outbox, facts',
    sql: `
      CREATE TABLE object (
        type TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        uid TEXT NOT NULL,
        version TEXT NOT NULL,
        created TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (type, namespace, name)
      ) WITHOUT ROWID;
      CREATE TABLE token (
        key TEXT NOT NULL PRIMARY KEY,
        pod_uid TEXT NOT NULL,
        token TEXT NOT NULL,
        issued INTEGER NOT NULL,
        expires INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE outbox (
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        seq INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (kind, subject)
      ) WITHOUT ROWID;
      CREATE INDEX outbox_by_age ON outbox (seq);
      CREATE TABLE fact (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      INSERT INTO fact VALUES ('store', 'empty');`,
  },
  {
    name: '2 device twins',
    sql: `
      CREATE TABLE twin (
        device TEXT NOT NULL,
        property TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (device, property)
      ) WITHOUT ROWID;
      CREATE TABLE device_state (
        device TEXT NOT NULL PRIMARY KEY,
        state TEXT NOT NULL,
        last_online TEXT NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE device_condition (
        device TEXT NOT NULL,
        type TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (device, type)
      ) WITHOUT ROWID;
      CREATE TABLE device_report (
        device TEXT NOT NULL,
        kind TEXT NOT NULL,
        seq INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (device, kind)
      ) WITHOUT ROWID;
      CREATE INDEX device_report_by_age ON device_report (seq);
      CREATE TABLE sample_stream (
        device TEXT NOT NULL,
        property TEXT NOT NULL,
        stream TEXT NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (device, property)
      ) WITHOUT ROWID;
      CREATE TABLE sample (
        device TEXT NOT NULL,
        property TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        at INTEGER NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (device, property, sequence)
      ) WITHOUT ROWID;
      CREATE INDEX sample_by_age ON sample (at, sequence);`,
  },
  {
    name: '3 what the MQTT broker inside keeps',
    sql: `
      CREATE TABLE mqtt_retained (
        topic TEXT NOT NULL PRIMARY KEY,
        qos INTEGER NOT NULL,
        payload BLOB NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE mqtt_session (
        client TEXT NOT NULL PRIMARY KEY,
        subscriptions TEXT NOT NULL
      ) WITHOUT ROWID;`,
  },
  {
    name: '4 topics that rules listen to',
    sql: 'CREATE TABLE rule_topic (topic TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;',
  },
  {
    name: '5 wishes and history of devices',
    sql: `
      CREATE TABLE device_wish (
        device TEXT NOT NULL,
        property TEXT NOT NULL,
        value TEXT NOT NULL,
        over TEXT NOT NULL,
        PRIMARY KEY (device, property)
      ) WITHOUT ROWID;
      CREATE TABLE history_series (
        id INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        property TEXT NOT NULL,
        UNIQUE (device, property)
      );
      CREATE TABLE history (
        series INTEGER NOT NULL,
        at INTEGER NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (series, at)
      ) WITHOUT ROWID;`,
  },
  {
    name: '6 alarms that stand',
    sql: `
      CREATE TABLE alarm (
        device TEXT NOT NULL,
        rule TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (device, rule)
      ) WITHOUT ROWID;`,
  },
  {
    name: '7 services that environments of pods name',
    sql: 'CREATE TABLE service_list (namespace TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;',
  },
  {
    name: '8 what waits for MQTT clients',
    sql: `
      CREATE TABLE mqtt_waiting (
        client TEXT NOT NULL,
        id INTEGER NOT NULL,
        topic TEXT NOT NULL,
        qos INTEGER NOT NULL,
        at INTEGER NOT NULL,
        packet INTEGER,
        is_received INTEGER NOT NULL,
        payload BLOB NOT NULL,
        PRIMARY KEY (client, id)
      ) WITHOUT ROWID;
      CREATE TABLE mqtt_unreleased (
        client TEXT NOT NULL,
        packet INTEGER NOT NULL,
        PRIMARY KEY (client, packet)
      ) WITHOUT ROWID;
      CREATE TABLE mqtt_will (
        client TEXT NOT NULL PRIMARY KEY,
        topic TEXT NOT NULL,
        qos INTEGER NOT NULL,
        retain INTEGER NOT NULL,
        payload BLOB NOT NULL
      ) WITHOUT ROWID;`,
  },
];
