// The two languages say the same things: same keys, same placeholders, both halves of every plural, and no text that nobody uses.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const en = JSON.parse(read('../i18n/en.json')), zh = JSON.parse(read('../i18n/zh.json'));
const holes = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((hole) => hole[1]).sort();

test('both languages have the same keys', () => assert.deepEqual(Object.keys(en).sort(), Object.keys(zh).sort()));

test('no key stands twice, of which the first would never be read', () => {
  for (const language of ['en', 'zh']) {
    const keys = [...read(`../i18n/${language}.json`).matchAll(/^  ("[^"]+"):/gm)].map(([, key]) => key);
    assert.deepEqual(keys.filter((key, at) => keys.indexOf(key) !== at), [], language);
  }
});

test('both languages fill the same placeholders', () => {
  for (const key of Object.keys(en)) if (!key.endsWith('.one')) assert.deepEqual(holes(en[key]), holes(zh[key]), key);
});

test('no text is empty, and Chinese is written', () => {
  const same = ['check.snmp', 'class.ups', 'class.ups.many', 'metric.cpu_percent'];
  for (const key of Object.keys(en)) {
    assert.ok(en[key].trim() && zh[key].trim(), key);
    if (!same.includes(key) && !/^(mail|ack|paper)\./.test(key)) assert.notEqual(en[key], zh[key], key);
  }
});

test('a plural has both forms', () => {
  for (const key of Object.keys(en)) if (key.endsWith('.one')) assert.ok(key.replace(/one$/, 'other') in en, key);
});

test('every text of the page is used', () => {
  const folders = ['../src/', '../src/parts/', '../src/pages/'];
  const source = folders.flatMap((folder) => readdirSync(new URL(folder, import.meta.url)).filter((name) => /\.(ts|svelte)$/.test(name)).map((name) => read(folder + name))).join('\n');
  // Keys made from values of the wire: `word('class', …)`, t(`role.${…}`), tn(`count.${…}`, n).
  const stems = [...source.matchAll(/word\(\s*[`']([a-z._]+)(?:\.\$\{[^}]*\})?[`']/g), ...source.matchAll(/tn?\(`([a-z._]+)\.\$/g)].map((found) => found[1]);
  const unused = Object.keys(en).filter((key) => {
    if (/^(mail|ack|paper)\./.test(key)) return false; // the server's
    const plain = key.replace(/\.(one|other)$/, '');
    return !source.includes(`'${plain}'`) && !stems.some((stem) => key.startsWith(`${stem}.`));
  });
  assert.deepEqual(unused, []);
});
