// The board: every site and device of the viewer's scope. Each device is its own little store, so a delta of one device
// redraws one tile and four numbers, not the page. Counts are kept as deltas arrive, never summed over ten thousand rows.
import type { Board, BoardGateway, BoardSite, Counts, Delta, Incident, Latest, State, Ticket } from './types';

/** From worst to best, as people read them. */
export const STATES = ['down', 'degraded', 'unknown', 'maintenance', 'ok'] as const satisfies readonly State[];
const LATEST = 20;
const none = (): Counts => ({ ok: 0, degraded: 0, down: 0, unknown: 0, maintenance: 0 });

/** A delta may repeat what a snapshot has. */
const unique = (events: Latest[]) => [...new Map(events.map((event) => [event.id, event])).values()];

export class DeviceCell {
  state = $state<State>('unknown');
  since = $state(0);
  constructor(readonly id: string, readonly name: string, readonly kind: string, readonly site: SiteCell, readonly position: number) {}
}

export class SiteCell {
  readonly id: string;
  readonly name: string;
  readonly name_zh: string;
  readonly zone: string;
  devices: DeviceCell[] = [];
  gateways = $state.raw<BoardGateway[]>([]);
  counts = $state<Counts>(none());

  constructor(site: BoardSite) {
    this.id = site.id;
    this.name = site.name;
    this.name_zh = site.name_zh;
    this.zone = site.zone;
    this.gateways = site.gateway;
    const counts = none();
    for (const [id, name, kind, state, since, , position] of site.devices) {
      const cell = new DeviceCell(id, name, kind, this, position);
      cell.state = state;
      cell.since = since;
      counts[state] += 1;
      this.devices.push(cell);
    }
    this.devices.sort((a, b) => a.position - b.position);
    this.counts = counts;
  }
  get silent(): BoardGateway | undefined { return this.gateways.find((gateway) => gateway.state === 'silent'); }
  /** What the site is as a whole; a silent gateway makes it unknown unless something is known to be down. */
  get worst(): State {
    if (this.counts.down > 0) return 'down';
    if (this.silent) return 'unknown';
    return STATES.find((state) => this.counts[state] > 0) ?? 'ok';
  }
  /** Sort key: down, silent, degraded, unknown, maintenance, OK. */
  get rank(): number { return this.silent && this.counts.down === 0 ? 0.5 : STATES.indexOf(this.worst); }
  /** Nothing was ever heard from it: it is being set up. */
  get fresh(): boolean { return this.devices.length === 0 || this.gateways.every((gateway) => gateway.state === 'never'); }
}

export class BoardStore {
  ready = $state(false);
  seq = 0;
  sites = $state.raw<SiteCell[]>([]);
  counts = $state<Counts>(none());
  /** Causes of their own, as far as it is known. */
  incidents = $state.raw<Map<string, Incident>>(new Map());
  /** The ids of what stands under a cause. */
  symptoms = $state.raw<Set<string>>(new Set());
  tickets = $state.raw<Map<string, Ticket>>(new Map());
  latest = $state.raw<Latest[]>([]);
  leadsToNobody = $state(0);
  #devices = new Map<string, DeviceCell>();
  #sites = new Map<string, SiteCell>();

  device(id: string): DeviceCell | undefined { return this.#devices.get(id); }
  site(id: string): SiteCell | undefined { return this.#sites.get(id); }
  get deviceCount(): number { return this.counts.ok + this.counts.degraded + this.counts.down + this.counts.unknown + this.counts.maintenance; }
  get standing(): number { return this.incidents.size + this.symptoms.size; }
  get gateways(): BoardGateway[] { return this.sites.flatMap((site) => site.gateways); }

  replace(board: Board) {
    const counts = none();
    this.#devices.clear();
    this.#sites.clear();
    const sites = board.sites.map((site) => new SiteCell(site));
    for (const site of sites) {
      this.#sites.set(site.id, site);
      for (const device of site.devices) {
        this.#devices.set(device.id, device);
        counts[device.state] += 1;
      }
    }
    this.sites = sites;
    this.counts = counts;
    this.incidents = new Map(board.incidents.map((incident) => [incident.id, incident]));
    this.symptoms = new Set(board.symptoms);
    this.tickets = new Map(board.tickets.filter((ticket) => ticket.state !== 'closed').map((ticket) => [ticket.id, ticket]));
    this.latest = board.latest.slice(0, LATEST);
    this.leadsToNobody = board.counts.leads_to_nobody ?? 0;
    this.seq = board.seq;
    this.ready = true;
  }

  /** Applies one delta; false when it names something unknown here, so that the board must be fetched again. */
  apply(delta: Delta): boolean {
    let whole = true;
    for (const change of delta.devices ?? []) {
      const cell = this.#devices.get(change.id);
      if (!cell) { whole = false; continue; }
      if (cell.state !== change.state) {
        cell.site.counts[cell.state] -= 1;
        cell.site.counts[change.state] += 1;
        this.counts[cell.state] -= 1;
        this.counts[change.state] += 1;
        cell.state = change.state;
      }
      cell.since = change.state_since;
    }
    for (const change of delta.gateways ?? []) {
      const site = this.#sites.get(change.site_id);
      if (!site) { whole = false; continue; }
      const known = site.gateways.some((gateway) => gateway.id === change.id);
      site.gateways = known
        ? site.gateways.map((gateway) => (gateway.id === change.id ? { ...gateway, ...change } : gateway))
        : [...site.gateways, change];
    }
    // What was a cause may become a symptom, and the other way round.
    if (delta.incidents?.length || delta.symptoms?.length) {
      const incidents = new Map(this.incidents), symptoms = new Set(this.symptoms);
      for (const incident of delta.incidents ?? []) {
        symptoms.delete(incident.id);
        incident.closed_at === null ? incidents.set(incident.id, incident) : incidents.delete(incident.id);
      }
      for (const [id, , , over] of delta.symptoms ?? []) {
        incidents.delete(id);
        over ? symptoms.delete(id) : symptoms.add(id);
      }
      this.incidents = incidents;
      this.symptoms = symptoms;
    }
    for (const ticket of delta.tickets ?? []) this.putTicket(ticket);
    if (delta.latest?.length) this.latest = unique([...delta.latest, ...this.latest]).sort((a, b) => b.at - a.at).slice(0, LATEST);
    this.seq = Math.max(this.seq, delta.seq);
    return whole;
  }

  putTicket(ticket: Ticket) {
    const tickets = new Map(this.tickets);
    if (ticket.state === 'closed') tickets.delete(ticket.id);
    else tickets.set(ticket.id, { ...tickets.get(ticket.id), ...ticket });
    this.tickets = tickets;
  }
}
