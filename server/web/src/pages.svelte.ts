// The pages by their addresses. The script of a page is fetched when somebody goes there, and those of the others while nothing
// else is to be done, so that going on needs no network and no later release of the server is met half way.
import type { Component } from 'svelte';
import { match } from './route.svelte';

type Page = Component<{ id: string }>;

const PAGES: [string, () => Promise<{ default: unknown }>][] = [
  ['/', () => import('./pages/Now.svelte')],
  ['/wall', () => import('./pages/Wall.svelte')],
  ['/tickets', () => import('./pages/Tickets.svelte')],
  ['/tickets/new', () => import('./pages/TicketNew.svelte')],
  ['/tickets/:id', () => import('./pages/Ticket.svelte')],
  ['/sla', () => import('./pages/Sla.svelte')],
  ['/sites', () => import('./pages/Sites.svelte')],
  ['/sites/:id', () => import('./pages/Site.svelte')],
  ['/gateways', () => import('./pages/Gateways.svelte')],
  ['/inspections', () => import('./pages/Inspections.svelte')],
  ['/parts', () => import('./pages/Parts.svelte')],
  ['/follow', () => import('./pages/Follow.svelte')],
  ['/maintenance', () => import('./pages/Maintenance.svelte')],
  ['/contracts', () => import('./pages/Contracts.svelte')],
  ['/contracts/new', () => import('./pages/Contract.svelte')],
  ['/contracts/:id', () => import('./pages/Contract.svelte')],
  ['/calendar', () => import('./pages/Calendar.svelte')],
  ['/devices/:id', () => import('./pages/Device.svelte')],
  ['/customers', () => import('./pages/Customers.svelte')],
  ['/escalation', () => import('./pages/Plans.svelte')],
  ['/audit', () => import('./pages/Audit.svelte')],
  ['/people', () => import('./pages/People.svelte')],
  ['/channels', () => import('./pages/Channels.svelte')],
  ['/rota', () => import('./pages/Rota.svelte')],
  ['/rota/log', () => import('./pages/DutyLog.svelte')],
  ['/rota/handover', () => import('./pages/Handover.svelte')],
  ['/rota/statement', () => import('./pages/Statement.svelte')],
  ['/search', () => import('./pages/SearchPage.svelte')],
  ['/password', () => import('./pages/Password.svelte')],
];

class Pages {
  #here = $state.raw<Record<string, Page>>({});
  #broken = $state.raw<Record<string, unknown>>({});

  /** Which page an address is, and what it is about; nothing where there is none. */
  find(path: string): { pattern: string; id: string } | null {
    for (const [pattern] of PAGES) {
      const parts = match(pattern, path);
      if (parts) return { pattern, id: parts.id ?? '' };
    }
    return null;
  }
  /** The page, once its script is here. */
  page(pattern: string): Page | undefined { return this.#here[pattern]; }
  /** Why its script is not here. */
  broken(pattern: string): unknown { return this.#broken[pattern]; }

  /** Fetches the script of a page, and then those of the others. */
  async fetch(pattern: string): Promise<void> {
    const page = PAGES.find(([one]) => one === pattern)!;
    if (!this.#here[pattern]) await this.#load(page).catch((error: unknown) => { this.#broken = { ...this.#broken, [pattern]: error }; });
    if (this.#here[pattern]) this.#idle();
  }
  async #load([pattern, load]: (typeof PAGES)[number]) {
    const page = (await load()).default as Page;
    this.#here = { ...this.#here, [pattern]: page };
  }
  /** The next one that is not here; what cannot be had is asked for again when somebody goes there. */
  #idle() {
    const next = PAGES.find(([pattern]) => !this.#here[pattern]);
    if (next) later(() => this.#load(next).then(() => this.#idle(), () => {}));
  }
}
const later = (work: () => unknown) => ('requestIdleCallback' in globalThis ? requestIdleCallback(() => work()) : setTimeout(work, 200));
export const pages = new Pages();
