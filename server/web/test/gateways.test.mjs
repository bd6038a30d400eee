import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './compile.mjs';

const { arranged, troubles } = await load('gateways.ts');
const NOW = 1_700_000_000_000, DAY = 86_400_000;
const gateway = (name, change = {}, wire = {}) => ({
  id: `gw-${name}`, name, site_name: 'North', state: 'online', cert_not_after: NOW + 200 * DAY, clock_offset_ms: 4, config_error: '', queue_records: 0, agent_version: '0.1.0', ...change,
  wire: { queue_oldest_at: null, newest_at: NOW, late_ms: 900, replay_left: null, gaps: 0, gaps_day: 0, lost_records: 0, last_gap_at: null, last_gap_reason: null, refused_by_agent: 0, refused_here: 0, clock_wrong_at: null, disk_trouble: null, disk_wrong_at: null, ...wire },
});

test('a gateway that works has no trouble', () => {
  assert.deepEqual(troubles(gateway('a'), NOW), []);
  assert.deepEqual(troubles(gateway('a', { queue_records: 3 }, { queue_oldest_at: NOW - 60_000 }), NOW), [], 'a minute in the queue is nothing');
});

test('each trouble is named, the gravest first', () => {
  const one = (change, wire) => troubles(gateway('a', change, wire), NOW);
  assert.deepEqual(one({}, { queue_oldest_at: NOW - 130_000 }), ['held']);
  assert.deepEqual(one({}, { queue_oldest_at: NOW - 130_000, replay_left: 12 }), ['telling']);
  assert.deepEqual(one({ cert_not_after: NOW + 13 * DAY }, { clock_wrong_at: NOW }), ['certificate', 'clock']);
  assert.deepEqual(one({ state: 'silent' }, { queue_oldest_at: NOW - DAY, gaps_day: 1 }), ['silent', 'gap'], 'what a silent gateway holds nobody knows');
  assert.deepEqual(one({ state: 'revoked', config_error: 'x' }), ['revoked']);
});

test('worst first; names as people count; a column turned round; a part of a name', () => {
  const list = [gateway('gw 10'), gateway('gw 9'), gateway('lost', {}, { gaps_day: 1, lost_records: 7 }), gateway('new', { state: 'never' }), gateway('mute', { state: 'silent' })];
  const names = (change) => arranged(list, { typed: '', column: 'state', turned: false, now: NOW, ...change }).map((one) => one.name);
  assert.deepEqual(names({}), ['mute', 'lost', 'gw 9', 'gw 10', 'new']);
  assert.deepEqual(names({ column: 'gaps' })[0], 'lost');
  assert.deepEqual(names({ column: 'gateway', turned: true }), ['new', 'mute', 'lost', 'gw 10', 'gw 9']);
  assert.deepEqual(names({ typed: ' GW ' , column: 'gateway' }).slice(0, 2), ['gw 9', 'gw 10']);
  assert.deepEqual(names({ typed: 'LOST' }), ['lost']);
});
