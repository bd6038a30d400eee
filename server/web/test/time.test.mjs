// How spans and instants are written.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './compile.mjs';

const time = await load('time.ts');
const axis = await load('parts/axis.ts');
const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 18, 19, 18, 44); // 03:18:44 on Thu 19 Nov in Shanghai

test('a span has two units at most', () => {
  const cases = [[0, '0 s'], [-5000, '0 s'], [36_000, '36 s'], [396_000, '6 min 36 s'], [10.6 * HOUR, '10 h 36 min'], [2 * HOUR, '2 h'], [28 * HOUR, '1 d 4 h'], [40 * 24 * HOUR + HOUR, '40 d']];
  for (const [ms, text] of cases) assert.equal(time.span(ms, 'en'), text);
  assert.equal(time.span(396_000, 'zh'), '6 分 36 秒');
  assert.equal(time.span(28 * HOUR, 'zh'), '1 天 4 小时');
});

test('a stopwatch counts past a day', () => {
  assert.equal(time.stopwatch(42_000), '00:00:42');
  assert.equal(time.stopwatch(25 * HOUR + 1000), '25:00:01');
});

test('an instant names its day as soon as it is another one, in the zone of the site', () => {
  const at = (ms) => time.instant(NOW - ms, NOW, 'Asia/Shanghai', 'en-GB');
  assert.equal(at(396_000), '03:12:08');
  assert.equal(at(3.5 * HOUR), '23:48:44 Wed');
  assert.match(at(20 * 24 * HOUR), /^30 Oct 03:18:44$/);
  assert.match(at(400 * 24 * HOUR), /2025/);
  assert.equal(time.instant(NOW, NOW, 'Europe/Paris', 'en-GB'), '20:18:44');
});

test('a zone that the browser does not know falls back to its own', () => {
  assert.match(time.clock(NOW, 'Mars/Olympus', 'en-GB'), /^\d\d:\d\d:\d\d$/);
});

test('ticks stand on whole hours and days of the site', () => {
  const day = axis.ticks(NOW - 24 * HOUR, NOW, 'Asia/Shanghai', 'en-GB', 960);
  assert.deepEqual(day.map((tick) => tick.text), ['04:00', '08:00', '12:00', '16:00', '20:00', '00:00']);
  const week = axis.ticks(NOW - 168 * HOUR, NOW, 'Asia/Kathmandu', 'en-GB', 960);
  assert.ok(week.every((tick) => time.clock(tick.at, 'Asia/Kathmandu', 'en-GB') === '00:00:00'));
});

test('every span has times on its axis, wide and narrow', () => {
  for (const hours of [1, 24, 168, 720]) for (const width of [300, 720]) {
    const found = axis.ticks(NOW - hours * HOUR, NOW, 'Asia/Shanghai', 'en', width);
    assert.ok(found.length >= 2, `${hours} h at ${width} px: ${found.length}`);
  }
  // 02:20 is so close to the edge that its label would be cut.
  assert.deepEqual(axis.ticks(NOW - HOUR, NOW, 'Asia/Shanghai', 'en', 720).map((tick) => tick.text), ['02:30', '02:40', '02:50', '03:00', '03:10']);
});
