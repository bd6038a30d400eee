// The REST client: one function per route, one error type. Nothing else in the page calls fetch.
import { hearDate } from './clock.svelte';
import type * as T from './types';

/** What the server answered instead of a result: what happened, and what to do next. */
export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly hint: string | null, readonly body: unknown = null) {
    super(message);
  }
}

let csrf = '';
let lost: (error: ApiError) => void = () => {};
/** The header value that every write carries; it arrives with `Me`. */
export function useCsrf(value: string) { csrf = value; }
/** Called when the session is gone (401) or the password must be changed first (403). */
export function onSessionLost(listener: (error: ApiError) => void) { lost = listener; }

let asked = new Map<string, Promise<[Response, number]>>();
/** Takes answers that were asked for before this module was there, by path, with the device's time at which they came. */
export function useEarly(answers: typeof asked) { asked = answers; }

const BASE = '/api/v1';
const id = encodeURIComponent;

export function query(values: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined && value !== null && value !== '') search.set(key, String(value));
  const text = search.toString();
  return text ? `?${text}` : '';
}

async function call<R>(method: string, path: string, body?: unknown): Promise<R> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = body instanceof Blob ? body.type : 'application/json';
  if (method !== 'GET') headers['x-csrf-token'] = csrf;
  let response: Response, at: number | undefined;
  try {
    const early = method === 'GET' ? asked.get(BASE + path) : undefined;
    asked.delete(BASE + path);
    if (early) [response, at] = await early;
    else response = await fetch(BASE + path, { method, headers, credentials: 'same-origin', body: body === undefined || body instanceof Blob ? body : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, 'no_answer', '', null);
  }
  hearDate(response.headers.get('date'), at);
  if (response.ok) {
    const text = await response.text();
    return (text ? JSON.parse(text) : undefined) as R;
  }
  const error = await readError(response);
  if ((error.status === 401 && path !== '/session') || error.code === 'must_change_password') lost(error);
  throw error;
}

async function readError(response: Response): Promise<ApiError> {
  try {
    const body = (await response.json()) as { error: { code: string; message: string; hint?: string | null } };
    return new ApiError(response.status, body.error.code, body.error.message, body.error.hint ?? null, body);
  } catch {
    return new ApiError(response.status, `http_${response.status}`, '', null);
  }
}

export const get = <R>(path: string) => call<R>('GET', path);
export const post = <R>(path: string, body: unknown = {}) => call<R>('POST', path, body);
export const patch = <R>(path: string, body: unknown) => call<R>('PATCH', path, body);
export const put = <R>(path: string, body: unknown) => call<R>('PUT', path, body);
export const remove = (path: string) => call<void>('DELETE', path);

type Part<T> = Partial<T> & Record<string, unknown>;

export const api = {
  logIn: (login: string, password: string) => post<T.Me>('/session', { login, password }),
  logOut: () => remove('/session'),
  me: () => get<T.Me>('/me'),
  changePassword: (old: string, fresh: string) => post<void>('/me/password', { old, new: fresh }),
  changeMe: (body: { language?: string; name?: string }) => patch<T.Me>('/me', body),

  board: () => get<T.Board>('/board'),
  faults: () => get<T.List<T.FaultEntry>>('/faults'),
  search: (q: string) => get<T.Found>(`/search${query({ q })}`),

  customers: () => get<T.List<T.Customer>>('/customers'),
  addCustomer: (body: Part<T.Customer>) => post<T.Customer>('/customers', body),
  changeCustomer: (key: string, body: Part<T.Customer>) => patch<T.Customer>(`/customers/${id(key)}`, body),
  sites: () => get<T.List<T.Site>>('/sites'),
  site: (key: string) => get<T.Site>(`/sites/${id(key)}`),
  addSite: (body: Part<T.Site>) => post<T.Site>('/sites', body),
  changeSite: (key: string, body: Part<T.Site>) => patch<T.Site>(`/sites/${id(key)}`, body),

  gateways: () => get<T.List<T.Gateway>>('/gateways'),
  gatewayGaps: (key: string) => get<T.List<T.RecordGap>>(`/gateways/${id(key)}/gaps`),
  wire: () => get<T.WireSums>('/wire'),
  gatewayParents: (key: string) => get<T.List<T.Parent>>(`/gateways/${id(key)}/parents`),
  setGatewayParents: (key: string, parents: { device_id: string; kind: string; group: string }[]) => put<T.List<T.Parent>>(`/gateways/${id(key)}/parents`, { parents }),
  addGateway: (site_id: string, name: string) => post<T.Enrolment>('/gateways', { site_id, name }),
  renewToken: (key: string) => post<T.Enrolment>(`/gateways/${id(key)}/token`),
  revokeGateway: (key: string) => post<void>(`/gateways/${id(key)}/revoke`),

  devices: (site_id?: string) => get<T.List<T.Device>>(`/devices${query({ site_id })}`),
  device: (key: string) => get<T.Device>(`/devices/${id(key)}`),
  usualChecks: () => get<T.List<T.UsualChecks>>('/usual-checks'),
  addDevice: (body: Record<string, unknown>) => post<T.Device>('/devices', body),
  changeDevice: (key: string, body: Record<string, unknown>) => patch<T.Device>(`/devices/${id(key)}`, body),
  removeDevice: (key: string) => remove(`/devices/${id(key)}`),
  deviceEvents: (key: string, before?: string | number | null) => get<T.List<T.DeviceEvent>>(`/devices/${id(key)}/events${query({ before })}`),
  deviceStates: (key: string, from: number, to: number) => get<T.List<T.DeviceState>>(`/devices/${id(key)}/states${query({ from, to })}`),
  deviceHistory: (key: string, from: number, to: number, points: number) =>
    get<{ series: T.Series[]; lost: T.Lost[] }>(`/devices/${id(key)}/history${query({ from, to, points })}`),
  probe: (key: string) => post<{ command_id: string }>(`/devices/${id(key)}/probe`),
  remedies: (key: string) => get<T.DeviceRemedies>(`/devices/${id(key)}/remedies`),
  pressRemedy: (key: string, body: Record<string, unknown>) => post<T.DeviceRemedies>(`/devices/${id(key)}/remedies`, body),
  siteRemedies: (site: string) => get<T.SiteRemedies>(`/sites/${id(site)}/remedies`),
  changeSiteRemedies: (site: string, body: Record<string, unknown>) => put<T.SiteRemedies>(`/sites/${id(site)}/remedies`, body),
  addConsent: (site: string, body: { given_by: string; words: string; until_at: number | null }) => post<T.SiteRemedies>(`/sites/${id(site)}/remedies/consents`, body),
  revokeConsent: (site: string, key: string) => remove(`/sites/${id(site)}/remedies/consents/${id(key)}`),
  topology: (key: string) => get<T.DeviceTopology>(`/devices/${id(key)}/topology`),
  recordPort: (key: string, body: Record<string, unknown>) => put<void>(`/devices/${id(key)}/port`, body),
  forgetPort: (key: string) => remove(`/devices/${id(key)}/port`),
  proposals: (site_id: string) => get<T.List<T.ParentProposal>>(`/topology/proposals${query({ site_id })}`),
  answerProposals: (body: { accept: string[]; dismiss: string[] }) => post<T.List<T.ParentProposal>>('/topology/proposals', body),
  command: (key: string) => get<T.Command>(`/commands/${id(key)}`),

  incidents: (filter: { state?: string; site_id?: string; device_id?: string }) => get<T.List<T.Incident>>(`/incidents${query(filter)}`),
  tickets: (filter: { state?: string; site_id?: string; device_id?: string; q?: string; before?: string | number | null }) =>
    get<T.List<T.Ticket>>(`/tickets${query(filter)}`),
  ticket: (key: string) => get<T.TicketDetail>(`/tickets/${id(key)}`),
  openTicket: (body: { site_id: string; device_id?: string; title: string; severity: string; note?: string }) => post<T.Ticket>('/tickets', body),
  ack: (key: string, note?: string) => post<unknown>(`/tickets/${id(key)}/ack`, note ? { note } : {}),
  note: (key: string, text: string) => post<unknown>(`/tickets/${id(key)}/note`, { text }),
  close: (key: string, reason: string) => post<unknown>(`/tickets/${id(key)}/close`, { reason }),
  reopen: (key: string, reason: string) => post<unknown>(`/tickets/${id(key)}/reopen`, { reason }),
  assign: (key: string, account_id: string | null) => post<unknown>(`/tickets/${id(key)}/assign`, { account_id }),

  handBack: (key: string, reason: string) => post<unknown>(`/tickets/${id(key)}/hand-back`, { reason }),
  takeOver: (key: string) => post<unknown>(`/tickets/${id(key)}/take-over`),
  reroute: (key: string, to: { account_id?: string; team_id?: string; plan_id?: string; reason: string }) => post<unknown>(`/tickets/${id(key)}/reroute`, to),
  callExperts: (key: string, reason: string) => post<unknown>(`/tickets/${id(key)}/experts`, { reason }),
  plans: () => get<T.List<T.PlanEntry>>('/escalation/plans'),
  addPlan: (body: Record<string, unknown>) => post<T.PlanEntry>('/escalation/plans', body),
  changePlan: (key: string, body: Record<string, unknown>) => call<T.PlanEntry>('PUT', `/escalation/plans/${id(key)}`, body),
  removePlan: (key: string) => remove(`/escalation/plans/${id(key)}`),
  checkPlan: (body: Record<string, unknown>) => post<T.PlanCheck>('/escalation/check', body),
  placeRoles: () => get<T.List<T.PlaceRole>>('/escalation/people'),
  addPlaceRole: (body: Record<string, unknown>) => post<T.PlaceRole>('/escalation/people', body),
  removePlaceRole: (key: string) => remove(`/escalation/people/${id(key)}`),
  forecast: (device_id: string, fault: string, local?: string) => get<T.Forecast>(`/escalation/forecast${query({ device_id, fault, local })}`),
  namesOf: (kind: 'teams' | 'rotas') => get<T.List<T.Named>>(`/${kind}`),
  abilities: (user: string) => get<T.Abilities>(`/users/${id(user)}/skills`),
  setAbilities: (user: string, body: T.Abilities) => call<T.Abilities>('PUT', `/users/${id(user)}/skills`, body),
  skills: () => get<T.List<string>>('/skills'),
  pager: () => get<T.Pager>('/pager'),
  addHeartbeat: (body: Record<string, unknown>) => post<void>('/pager/heartbeats', body),
  removeHeartbeat: (key: string) => remove(`/pager/heartbeats/${id(key)}`),
  addPeer: (body: Record<string, unknown>) => post<{ id: string; address: string }>('/pager/peers', body),
  removePeer: (key: string) => remove(`/pager/peers/${id(key)}`),
  maintenance: (state: 'current' | 'all', site_id?: string) => get<T.List<T.Maintenance>>(`/maintenance${query({ state, site_id })}`),
  addMaintenance: (body: Record<string, unknown>) => post<T.Maintenance>('/maintenance', body),
  endMaintenance: (key: string) => post<T.Maintenance>(`/maintenance/${id(key)}/end`),
  extendMaintenance: (key: string, until: number) => post<T.Maintenance>(`/maintenance/${id(key)}/extend`, { until }),
  arriveMaintenance: (key: string) => post<T.Maintenance>(`/maintenance/${id(key)}/arrive`),

  users: () => get<T.List<T.User>>('/users'),
  addUser: (body: Record<string, unknown>) => post<{ user: T.User; password: string | null }>('/users', body),
  changeUser: (key: string, body: Record<string, unknown>) => patch<T.User>(`/users/${id(key)}`, body),
  contacts: (user: string) => get<T.List<T.Contact>>(`/users/${id(user)}/contacts`),
  addContact: (user: string, body: { channel: string; address: string; template: string }) => post<T.Contact>(`/users/${id(user)}/contacts`, body),
  changeContact: (user: string, key: string, body: Record<string, unknown>) => patch<T.Contact>(`/users/${id(user)}/contacts/${id(key)}`, body),
  removeContact: (user: string, key: string) => remove(`/users/${id(user)}/contacts/${id(key)}`),
  testContact: (user: string, key: string) => post<unknown>(`/users/${id(user)}/contacts/${id(key)}/test`),
  channels: () => get<T.Channels>('/channels'),
  setChannel: (name: string, values: Record<string, string>) => put<T.Channel>(`/channels/${id(name)}`, { values }),
  dropChannel: (name: string) => remove(`/channels/${id(name)}`),
  pushKey: () => get<{ public_key: string }>('/push-key'),
  deliveries: (failed: boolean) => get<T.List<T.Delivery>>(`/deliveries${query({ failed: String(failed) })}`),
  receivers: () => get<T.List<T.Receiver>>('/receivers'),
  addReceiver: (body: Record<string, unknown>) => post<T.Receiver>('/receivers', body),
  changeReceiver: (key: string, body: Record<string, unknown>) => patch<T.Receiver>(`/receivers/${id(key)}`, body),
  testReceiver: (key: string) => post<{ ok: boolean; answer: string }>(`/receivers/${id(key)}/test`),
  dropReceiver: (key: string) => remove(`/receivers/${id(key)}`),
  discoveries: (gateway: string) => get<T.List<T.Discovery>>(`/gateways/${id(gateway)}/discoveries`),
  discover: (gateway: string, body: { net: string; snmp_like?: string }) => post<T.Discovery>(`/gateways/${id(gateway)}/discoveries`, body),
  localPage: (gateway: string) => get<T.LocalPage>(`/gateways/${id(gateway)}/local-page`),
  setLocalPage: (gateway: string, body: Record<string, unknown>) => put<T.LocalPage>(`/gateways/${id(gateway)}/local-page`, body),
  dropLocalPage: (gateway: string) => remove(`/gateways/${id(gateway)}/local-page`),
  duty: () => get<T.List<T.Duty>>('/duty'),
  addDuty: (site_id: string | null, account_id: string) => post<T.Duty>('/duty', { site_id, account_id }),
  removeDuty: (key: string) => remove(`/duty/${id(key)}`),
};
