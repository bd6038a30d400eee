// Holds the page's shapes against the server's own description of its API (`npm run types` writes it before each check):
// a field that the page reads and the server does not send fails the type check. Nothing of this reaches the browser.
import type { components } from '#openapi';
import type * as T from './types';

type Server = components['schemas'];
/** The fields of `Mine` that the server's shape lacks; there must be none. */
type Lacks<Mine, Name extends keyof Server> = Exclude<keyof Mine, keyof Server[Name]>;

type Lacking =
  | Lacks<T.Me, 'Me'> | Lacks<T.Board, 'Board'> | Lacks<T.BoardSite, 'BoardSite'> | Lacks<T.BoardGateway, 'BoardGateway'> | Lacks<T.Latest, 'Latest'>
  | Lacks<T.Customer, 'Customer'> | Lacks<T.Site, 'Site'> | Lacks<T.Gateway, 'Gateway'> | Lacks<T.GatewayWire, 'GatewayWire'> | Lacks<T.WireSums, 'WireSums'> | Lacks<T.RecordGap, 'RecordGap'> | Lacks<T.Enrolment, 'GatewayToken'> | Lacks<T.Command, 'Command'>
  | Lacks<T.Device, 'Device'> | Lacks<T.Fault, 'StandingFault'> | Lacks<T.Link, 'Link'> | Lacks<T.DeviceEvent, 'DeviceEvent'> | Lacks<T.DeviceState, 'DeviceState'>
  | Lacks<T.Series, 'ChartSeries'> | Lacks<T.Lost, 'Lost'> | Lacks<T.Incident, 'Incident'> | Lacks<T.Ticket, 'Ticket'> | Lacks<T.TicketEvent, 'TicketEvent'> | Lacks<T.Page, 'TicketPage'>
  | Lacks<T.TicketDetail, 'TicketStory'> | Lacks<T.FaultEntry, 'FaultText'> | Lacks<T.Contact, 'Contact'> | Lacks<Omit<T.User, 'contacts'>, 'User'> | Lacks<T.Duty, 'Duty'>
  | Lacks<T.Found, 'Found'> | Lacks<T.FoundDevice, 'FoundDevice'> | Lacks<T.FoundSite, 'FoundSite'> | Lacks<T.FoundTicket, 'FoundTicket'>;

/** Compiles only while nothing is lacking. */
export const agreed: [Lacking] extends [never] ? true : Lacking = true;
