// Gateways as a list: what is wrong with each one's wire, worst first, and every column's order. Pure: `now` is an argument.
import type { Gateway } from './types';

const MINUTE = 60_000, DAY = 86_400_000;
/** A record that waits longer on a gateway that is heard is held back; a certificate that ends sooner was not renewed. The server's limits. */
export const HELD_AFTER_MS = 2 * MINUTE;
export const CERTIFICATE_ENDS_MS = 14 * DAY;

export const TROUBLES = ['revoked', 'silent', 'certificate', 'held', 'config', 'gap', 'disk', 'clock', 'telling', 'late', 'never'] as const;
export type Trouble = (typeof TROUBLES)[number];

/** How long the oldest record waits on its disk; 0 = nothing waits. */
export const queueAge = (gateway: Gateway, now: number) => (gateway.wire.queue_oldest_at === null ? 0 : Math.max(0, now - gateway.wire.queue_oldest_at));

/** What is wrong with a gateway, gravest first. */
export function troubles(gateway: Gateway, now: number): Trouble[] {
  const { wire, state } = gateway;
  if (state === 'revoked' || state === 'never') return [state];
  const heard = state !== 'silent';
  const found: Record<Trouble, boolean> = {
    revoked: false, never: false, silent: !heard, late: state === 'suspect',
    certificate: gateway.cert_not_after !== null && gateway.cert_not_after - now < CERTIFICATE_ENDS_MS,
    held: heard && queueAge(gateway, now) > HELD_AFTER_MS && wire.replay_left === null,
    telling: heard && wire.replay_left !== null,
    config: gateway.config_error !== '',
    gap: wire.gaps_day > 0, disk: wire.disk_trouble !== null, clock: wire.clock_wrong_at !== null,
  };
  return TROUBLES.filter((trouble) => found[trouble]);
}

/** Sort key: gravest trouble first, a gateway that is not in service last. */
function rank(gateway: Gateway, now: number): number {
  const worst = troubles(gateway, now)[0];
  if (worst === undefined) return TROUBLES.length;
  return worst === 'revoked' || worst === 'never' ? TROUBLES.length + 1 : TROUBLES.indexOf(worst);
}

export const COLUMNS = ['gateway', 'site', 'state', 'queue', 'age', 'gaps', 'refused', 'late', 'clock', 'certificate', 'agent'] as const;
export type Column = (typeof COLUMNS)[number];

/** What a column is ordered by; numbers with the greatest, texts with the first, times with the soonest on top. */
function keyOf(column: Column, gateway: Gateway, now: number): number | string {
  switch (column) {
    case 'gateway': return gateway.name;
    case 'site': return gateway.site_name;
    case 'state': return rank(gateway, now);
    case 'queue': return -(gateway.queue_records ?? 0);
    case 'age': return -queueAge(gateway, now);
    case 'gaps': return -gateway.wire.lost_records;
    case 'refused': return -(gateway.wire.refused_here + gateway.wire.refused_by_agent);
    case 'late': return -(gateway.wire.late_ms ?? 0);
    case 'clock': return -Math.abs(gateway.clock_offset_ms ?? 0);
    case 'certificate': return gateway.cert_not_after ?? Number.MAX_SAFE_INTEGER;
    case 'agent': return gateway.agent_version ?? '';
  }
}

const compare = (a: number | string, b: number | string) =>
  typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });

/** The gateways whose name, site or id holds `typed`, in a column's order; turned round with `down`. */
export function arranged(list: Gateway[], { typed, column, turned, now }: { typed: string; column: Column; turned: boolean; now: number }): Gateway[] {
  const q = typed.trim().toLowerCase();
  const found = q === '' ? [...list] : list.filter((one) => `${one.name} ${one.site_name} ${one.id} ${one.agent_version ?? ''}`.toLowerCase().includes(q));
  const sign = turned ? -1 : 1;
  return found.sort((a, b) => sign * compare(keyOf(column, a, now), keyOf(column, b, now)) || compare(a.site_name, b.site_name) || compare(a.name, b.name));
}
