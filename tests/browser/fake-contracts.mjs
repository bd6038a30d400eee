// Invented contracts and calendars for the fake server. The check knows a few traps, enough for a page to have something to show.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const HOUR = 3_600_000, DAY = 24 * HOUR;
const template = (name) => readFileSync(fileURLToPath(new URL(`../../server/src/contract/templates/${name}.toml`, import.meta.url)), 'utf8');
const NAMES = ['intelligent-building', 'it-service', 'manufacturer', 'highway-cctv', 'wastewater', 'construction', 'regional', 'pc-parts', 'pc-share', 'pc-onsite', 'elv-standard', 'park', 'cctv-117', 'annual-per-device', 'per-visit', 'retail', 'supplier', 'call-centre', 'duty', 'satisfaction'];
const value = (text, key) => new RegExp(`^${key} = "(.*)"`, 'm').exec(text)?.[1] ?? '';
const items = (list) => ({ body: { items: list, next: null } });
const missing = { status: 404, error: 'not_found', message: 'there is no such row', hint: 'it may have been removed' };

function check(text) {
  const remarks = [];
  const say = (weight, code, key, line, column, en, zh, fix, fixZh) => remarks.push({ weight, code, key, line, column, problem: { en, zh }, remedy: { en: fix, zh: fixZh } });
  text.split('\n').forEach((line, i) => {
    const at = line.indexOf('"') + 1;
    if (/"\d+天"/.test(line)) say('error', 'target.form', 'clock.respond.target', i + 1, at, 'this is no target: 24天 may be meant as 24 hours', '不是时限：24天 可能是 24小时', 'Write 24h, or 24d if days are meant', '请写 24h；若确为天数请写 24d');
    if (/"ASK"/.test(line)) say('question', 'ask', line.split(' ')[0], i + 1, at, 'it is left open', '尚未约定', 'It must be decided: write the value, and who decided it under [[decided]]', '必须先定下来：写上数值，并在 [[decided]] 里写明由谁决定');
    if (line.startsWith('[[decided]]')) say('decided', 'decided', 'clock.respond.target', i + 1, 1, 'was left open by the source', '原文没有约定', 'decided by template: the stricter one is kept', '由 template 决定：取较严的');
  });
  if (!text.includes('[contract]')) say('error', 'missing', 'contract', 1, 1, '[contract] is missing', '缺少 [contract]', 'Begin with [contract], id and name', '请以 [contract] 开头，写上 id 与 name');
  const verdict = remarks.some((one) => one.weight === 'error') ? 'refused' : remarks.some((one) => one.weight === 'question') ? 'open' : 'usable';
  const named = (table) => [...text.matchAll(new RegExp(`\\[\\[${table}\\]\\]\\n(?:name|item) = "(.*)"\\ntitle = "(.*)"`, 'g'))].map(([, name, title]) => ({ name, title }));
  const outline = verdict === 'usable' ? { id: value(text, 'id'), name: value(text, 'name'), kind: value(text, 'kind'), zone: value(text, 'zone') || 'Asia/Shanghai', begins: value(text, 'begins') || null, ends: value(text, 'ends') || null, priorities: named('priority'), zones: named('zone'), calendars: ['work'], prices: [...new Map(named('price').map((one) => [one.name, one])).values()], needs: ['completion_form'] } : null;
  return { verdict, remarks, outline };
}

function preview(body) {
  const at = Date.parse(`${body.at}:00+08:00`);
  const promise = (more) => ({ supplier: false, start: ['reported'], stop: ['arrived'], with_call: true, provisional: false, budget_s: 14_400, goal_percent: 100, undecided: null, more: 0, ledger: [{ from_at: at, to_at: at + 9.8 * HOUR, counted_s: 0, why: 'closed', reason: null }, { from_at: at + 9.8 * HOUR, to_at: at + 13.3 * HOUR, counted_s: 12_600, why: 'working', reason: null }, { from_at: at + 13.3 * HOUR, to_at: at + 14.8 * HOUR, counted_s: 0, why: 'closed', reason: null }, { from_at: at + 14.8 * HOUR, to_at: at + 15.3 * HOUR, counted_s: 1_800, why: 'working', reason: null }], due_at: at + 15.3 * HOUR, ...more });
  return { at, time_zone: 'Asia/Shanghai', promises: [promise({ clock: 'respond', title: 'Response 响应', stop: ['first_human_reply'] }), promise({ clock: 'arrive', title: 'Arrival 到场', due_at: at + 11 * DAY, provisional: true, goal_percent: 90 }), promise({ clock: 'agreed', title: 'Appointment 预约', start: ['agreed_time_set'], with_call: false, due_at: null, budget_s: null, ledger: [], undecided: { en: 'Due at the time that both sides agree on; none is agreed yet', zh: '以双方约定的时间为准，尚未约定' } })] };
}

function difference(before, after) {
  const a = before.split('\n'), b = after.split('\n');
  const head = a.findIndex((line, i) => line !== b[i]);
  if (head < 0) return [];
  const row = (kind, x, y, text, lines = 1) => ({ kind, before: x, after: y, text, lines });
  return [...(head > 3 ? [row('skipped', 1, 1, '', head - 3)] : []), ...a.slice(Math.max(0, head - 3), head).map((line, i) => row('same', Math.max(0, head - 3) + i + 1, Math.max(0, head - 3) + i + 1, line)), row('out', head + 1, null, a[head] ?? ''), row('in', null, head + 1, b[head] ?? '')];
}

/** Contracts of a world: none where nothing is watched, else one in each state. */
export function makeContracts(size, now, me, sites) {
  const iso = (at) => new Date(at).toISOString().slice(0, 10);
  const regional = template('regional').replace('zone = "Asia/Shanghai"\n', `zone = "Asia/Shanghai"\nbegins = "${iso(now - 300 * DAY)}"\nends = "${iso(now + 40 * DAY)}"\n`);
  const covered = sites.slice(0, 2).map((site) => ({ site_id: site.id, name: site.name, name_zh: site.name_zh, zone: 'city', time_zone: site.zone }));
  const made = (id, text, more) => ({ id, customer_id: 'customer-1', customer: 'Harbour Authority', name: value(text, 'name'), number: `HT-2026-00${id.slice(-1)}`, kind: value(text, 'kind'), state: 'in_service', version: 1, sites: covered.length, begins: value(text, 'begins') || null, ends: value(text, 'ends') || null, remind_at: null, created_at: now - 300 * DAY, changed_at: now - 4 * DAY, service_at: now - 290 * DAY, ended_at: null,
    text, texts: [text], in_force: 1, covered, zones: [{ name: 'city', title: '市区 city' }, { name: 'province', title: '市外省内 province' }], needs: ['completion_form'], lacks: [], versions: [{ number: 1, valid_from: now - 300 * DAY, author: 'Ada', note: '', created_at: now - 300 * DAY }],
    record: [{ seq: 2, kind: 'sites', at: now - 299 * DAY, actor: 'Ada', detail: { count: covered.length, names: covered.map((one) => one.name) } }, { seq: 1, kind: 'registered', at: now - 300 * DAY, actor: 'Ada', detail: {} }], ...more });
  const later = regional.replace('target = "4h"', 'target = "2h"');
  const list = size === 0 ? [] : [
    made('contract-1', later, { version: 2, in_force: 2, texts: [regional, later], remind_at: now - DAY, versions: [{ number: 2, valid_from: now - 4 * DAY, author: 'li.wei', note: '与赵主任电话商定, agreed by telephone', created_at: now - 4 * DAY }, { number: 1, valid_from: now - 300 * DAY, author: 'Ada', note: '', created_at: now - 300 * DAY }],
      record: [{ seq: 5, kind: 'version', at: now - 4 * DAY, actor: 'li.wei', detail: { version: 2, note: '与赵主任电话商定, agreed by telephone' } }, { seq: 4, kind: 'in_service', at: now - 290 * DAY, actor: 'Ada', detail: {} }, { seq: 3, kind: 'accepted', at: now - 291 * DAY, actor: 'Ada', detail: { accepted_on: iso(now - 291 * DAY), documents: [{ kind: 'completion_form', number: 'WG-2026-17' }] } }, { seq: 1, kind: 'registered', at: now - 300 * DAY, actor: 'Ada', detail: {} }] }),
    made('contract-2', template('cctv-117'), { state: 'registered', service_at: null, in_force: null, lacks: [{ code: 'address', about: 'site-0', words: { en: 'North Gate has no address. Write it on the site\'s page', zh: '北门站 没有地址。请在站点页填写' } }, { code: 'begins', about: null, words: { en: 'The contract does not say when it begins. Add begins = "2026-01-01" under [contract]', zh: '合同没有写起始日期。请在 [contract] 下加 begins = "2026-01-01"' } }] }),
    made('contract-3', template('park'), { state: 'accepted', service_at: null }),
    made('contract-4', template('duty'), { state: 'ended', ended_at: now - 20 * DAY }),
  ];
  if (size >= 1000) for (let i = 5; i <= 120; i++) list.push(made(`contract-${i}`, template(NAMES[i % NAMES.length]), { name: `${value(template(NAMES[i % NAMES.length]), 'name')} ${i}`, customer: `Customer ${i % 40}`, customer_id: `customer-${i % 40}`, ends: iso(now + (i - 20) * 9 * DAY), sites: (i * 7) % 90 }));
  const bare = ({ text, texts, versions, covered: _sites, zones, needs, lacks, record, in_force, ...entry }) => entry;
  const whole = ({ texts, ...detail }) => detail;
  function step(contract, kind, detail, change) {
    Object.assign(contract, change, { changed_at: Date.now(), record: [{ seq: contract.record[0].seq + 1, kind, at: Date.now(), actor: me.name, detail }, ...contract.record] });
    return { body: whole(contract) };
  }
  function save(contract, body, who = me.name) {
    if (body.base !== contract.version) return { status: 409, error: 'saved_over', message: `version ${contract.version} was saved by ${contract.versions[0].author} after this text was begun`, hint: 'look at what it changed, then save yours on top of it' };
    const number = contract.version + 1;
    contract.versions = [{ number, valid_from: body.valid_from ?? Date.now(), author: who, note: body.note, created_at: Date.now() }, ...contract.versions];
    contract.texts.push(body.text);
    return { ...step(contract, 'version', { version: number, note: body.note }, { text: body.text, version: number, in_force: number }), status: 201 };
  }
  function answer(method, id, third, fourth, query, body) {
    if (id === 'templates') return third ? { body: { name: third, text: template(third) } } : items(NAMES.map((name) => ({ name, about: template(name).split('\n')[0].slice(2), title: value(template(name), 'name'), kind: value(template(name), 'kind') })));
    if (id === 'check') return { body: check(body.text) };
    if (id === 'compare') return items(difference(body.before, body.after));
    if (id === 'preview') return { body: preview(body) };
    if (id === 'quote') return { body: { charges: body.lines.map((line) => ({ item: line.item, title: line.item, amount_fen: 40_000 * (line.count ?? 1), how: { en: `${line.count ?? 1} × 400.00`, zh: `${line.count ?? 1} × 400.00` }, tax_included: false, needs: line.consent ? [] : [{ en: 'the customer\'s consent', zh: '客户同意' }] })), total_fen: 40_000 * body.lines.reduce((all, line) => all + (line.count ?? 1), 0), open: true, least_prices: true } };
    if (!id) {
      if (method === 'GET') return items(list.filter((one) => (!query.get('customer_id') || one.customer_id === query.get('customer_id')) && (!query.get('site_id') || one.covered.some((site) => site.site_id === query.get('site_id')))).map(bare));
      const fresh = made(`contract-${list.length + 1}`, body.text, { state: 'registered', service_at: null, in_force: null, created_at: Date.now() });
      list.push(fresh);
      return { status: 201, body: whole(fresh) };
    }
    const contract = list.find((one) => one.id === id);
    if (!contract) return missing;
    if (third === 'versions') return method === 'POST' ? save(contract, body) : { body: { ...contract.versions.find((one) => one.number === Number(fourth)), text: contract.texts[Number(fourth) - 1] } };
    if (third === 'difference') return items(difference(contract.texts[Number(query.get('before')) - 1], contract.texts[Number(query.get('after')) - 1]));
    if (third === 'sites') return step(contract, 'sites', { count: body.sites.length, names: [] }, { covered: covered.filter((site) => body.sites.some((one) => one.site_id === site.site_id)) });
    if (third === 'accept' && contract.lacks.length > 0) return { status: 409, error: 'file_incomplete', message: 'the customer\'s file lacks 2 things', hint: 'complete what is lacking; each entry says where it is written', more: { lacks: contract.lacks } };
    const to = { accept: ['accepted', 'accepted'], withdraw: ['withdrawn', 'registered'], serve: ['in_service', 'in_service'], end: ['ended', 'ended'] }[third];
    return to ? step(contract, to[0], body, { state: to[1] }) : { body: whole(contract) };
  }
  const NAMED = { '2026-02-14': ['make_up', 'Spring Festival', '春节'], '2026-02-28': ['make_up', 'Spring Festival', '春节'], '2026-10-10': ['make_up', 'National Day', '国庆节'] };
  for (const [from, days, statutory, name, zh] of [['2026-01-01', 3, 1, "New Year's Day", '元旦'], ['2026-02-15', 9, 3, 'Spring Festival', '春节'], ['2026-04-04', 3, 1, 'Qingming', '清明节'], ['2026-05-01', 5, 1, 'Labour Day', '劳动节'], ['2026-10-01', 7, 3, 'National Day', '国庆节']])
    for (let i = 0; i < days; i++) NAMED[iso(Date.parse(from) + i * DAY)] = [i < statutory ? 'holiday' : 'day_off', name, zh];
  function calendars(which, query) {
    if (which !== 'days') return items(list.length ? [{ contract_id: 'contract-1', contract: list[0].name, calendar: 'work', sites: covered.map(({ zone, ...site }) => site) }] : []);
    const days = [], hours = Boolean(query.get('contract_id'));
    for (let at = Date.parse(query.get('from')); at <= Date.parse(query.get('to')); at += DAY) {
      const date = iso(at), [kind, name, name_zh] = NAMED[date] ?? ['', '', ''];
      const free = kind === 'holiday' || kind === 'day_off' || (kind !== 'make_up' && [0, 6].includes(new Date(at).getUTCDay()));
      days.push({ date, public: kind, name, name_zh, spans: hours && !free ? ['08:30-12:00', '13:30-18:00'] : [], own: false, provisional: date > '2026-12-31' });
    }
    return { body: { time_zone: 'Asia/Shanghai', known_until: '2026-12-31', has_hours: hours, days } };
  }
  return { answer, calendars, list, save };
}
