// Which shape and colour stands for which state word.
import type { GatewayState, State, Ticket } from './types';

export type Mark = State | 'suppressed' | 'hand';

const GATEWAY: Record<GatewayState, Mark> = { online: 'ok', suspect: 'degraded', silent: 'unknown', never: 'suppressed', revoked: 'suppressed' };

export function markOf(state: State | GatewayState): Mark {
  return state in GATEWAY ? GATEWAY[state as GatewayState] : (state as State);
}

/** A ticket's mark: what it does to the device; closed ones are quiet; a person's own ticket has no machine state. */
export function ticketMark(ticket: Ticket): Mark {
  if (ticket.state === 'closed') return 'ok';
  return ticket.effect ? ticket.effect : 'hand';
}

const SEVERITIES = ['critical', 'major', 'minor'];
/** Worst first, then oldest first. */
export function byUrgency(a: { severity: string; opened_at: number }, b: { severity: string; opened_at: number }): number {
  return SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || a.opened_at - b.opened_at;
}
