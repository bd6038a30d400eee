// The REST client: one function per route, one error type. Nothing else in the page calls fetch.
import type * as T from './types';

/** What the server answered instead of a result: what happened, and what to do next. */
export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly hint: string | null) {
    super(message);
  }
}

let csrf = '';
let lost: (error: ApiError) => void = () => {};
/** The header value that every write carries; it arrives with `Me`. */
export function useCsrf(value: string) { csrf = value; }
/** Called when the session is gone (401) or the password must be changed first (403). */
export function onSessionLost(listener: (error: ApiError) => void) { lost = listener; }

const BASE = '/api/v1';
const id = encodeURIComponent;

function query(values: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined && value !== null && value !== '') search.set(key, String(value));
  const text = search.toString();
  return text ? `?${text}` : '';
}

async function call<R>(method: string, path: string, body?: unknown): Promise<R> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET') headers['x-csrf-token'] = csrf;
  let response: Response;
  try {
    response = await fetch(BASE + path, { method, headers, credentials: 'same-origin', body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, 'no_answer', '', null);
  }
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
    const { error } = (await response.json()) as { error: { code: string; message: string; hint?: string | null } };
    return new ApiError(response.status, error.code, error.message, error.hint ?? null);
  } catch {
    return new ApiError(response.status, `http_${response.status}`, '', null);
  }
}

const get = <R>(path: string) => call<R>('GET', path);
const post = <R>(path: string, body: unknown = {}) => call<R>('POST', path, body);
const patch = <R>(path: string, body: unknown) => call<R>('PATCH', path, body);
const remove = (path: string) => call<void>('DELETE', path);

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
  addGateway: (site_id: string, name: string) => post<T.Enrolment>('/gateways', { site_id, name }),
  renewToken: (key: string) => post<T.Enrolment>(`/gateways/${id(key)}/token`),
  revokeGateway: (key: string) => post<void>(`/gateways/${id(key)}/revoke`),

  devices: (site_id?: string) => get<T.List<T.Device>>(`/devices${query({ site_id })}`),
  device: (key: string) => get<T.Device>(`/devices/${id(key)}`),
  addDevice: (body: Record<string, unknown>) => post<T.Device>('/devices', body),
  changeDevice: (key: string, body: Record<string, unknown>) => patch<T.Device>(`/devices/${id(key)}`, body),
  removeDevice: (key: string) => remove(`/devices/${id(key)}`),
  deviceEvents: (key: string, before?: string | number | null) => get<T.List<T.DeviceEvent>>(`/devices/${id(key)}/events${query({ before })}`),
  deviceStates: (key: string, from: number, to: number) => get<T.List<T.DeviceState>>(`/devices/${id(key)}/states${query({ from, to })}`),
  deviceHistory: (key: string, from: number, to: number, points: number) =>
    get<{ series: T.Series[]; lost: T.Lost[] }>(`/devices/${id(key)}/history${query({ from, to, points })}`),
  probe: (key: string) => post<{ command_id: string }>(`/devices/${id(key)}/probe`),
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

  users: () => get<T.List<T.User>>('/users'),
  addUser: (body: Record<string, unknown>) => post<{ user: T.User; password: string | null }>('/users', body),
  changeUser: (key: string, body: Record<string, unknown>) => patch<T.User>(`/users/${id(key)}`, body),
  contacts: (user: string) => get<T.List<T.Contact>>(`/users/${id(user)}/contacts`),
  addContact: (user: string, body: { channel: string; address: string; template: string }) => post<T.Contact>(`/users/${id(user)}/contacts`, body),
  changeContact: (user: string, key: string, body: Record<string, unknown>) => patch<T.Contact>(`/users/${id(user)}/contacts/${id(key)}`, body),
  removeContact: (user: string, key: string) => remove(`/users/${id(user)}/contacts/${id(key)}`),
  testContact: (user: string, key: string) => post<unknown>(`/users/${id(user)}/contacts/${id(key)}/test`),
  duty: () => get<T.List<T.Duty>>('/duty'),
  addDuty: (site_id: string | null, account_id: string) => post<T.Duty>('/duty', { site_id, account_id }),
  removeDuty: (key: string) => remove(`/duty/${id(key)}`),
};
