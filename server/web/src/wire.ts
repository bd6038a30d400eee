// Holds the page's shapes against the server's own description of its API (`npm run types` writes it before each check):
// a field that the page reads and the server does not send fails the type check. Nothing of this reaches the browser.
import type { components } from '#openapi';
import type * as C from './clocks';
import type * as I from './inspections';
import type * as S from './stock';
import type * as T from './types';
import type * as V from './visits';

type Server = components['schemas'];
/** The fields of `Mine` that the server's shape lacks; there must be none. */
type Lacks<Mine, Name extends keyof Server> = Exclude<keyof Mine, keyof Server[Name]>;

type Lacking =
  | Lacks<T.Me, 'Me'> | Lacks<T.Board, 'Board'> | Lacks<T.BoardSite, 'BoardSite'> | Lacks<T.BoardGateway, 'BoardGateway'> | Lacks<T.Latest, 'Latest'>
  | Lacks<T.Customer, 'Customer'> | Lacks<T.Site, 'Site'> | Lacks<T.Gateway, 'Gateway'> | Lacks<T.GatewayWire, 'GatewayWire'> | Lacks<T.WireSums, 'WireSums'> | Lacks<T.RecordGap, 'RecordGap'> | Lacks<T.Enrolment, 'GatewayToken'> | Lacks<T.Command, 'Command'>
  | Lacks<T.Device, 'Device'> | Lacks<T.Fault, 'StandingFault'> | Lacks<T.Link, 'Link'> | Lacks<T.DeviceEvent, 'DeviceEvent'> | Lacks<T.DeviceState, 'DeviceState'>
  | Lacks<T.Series, 'ChartSeries'> | Lacks<T.Lost, 'Lost'> | Lacks<T.Incident, 'Incident'> | Lacks<T.Ticket, 'Ticket'> | Lacks<T.TicketEvent, 'TicketEvent'> | Lacks<T.Page, 'TicketPage'>
  | Lacks<T.TicketDetail, 'TicketStory'> | Lacks<T.FaultEntry, 'FaultText'> | Lacks<T.UsualCheck, 'UsualCheck'> | Lacks<T.UsualChecks, 'UsualChecks'> | Lacks<T.Contact, 'Contact'> | Lacks<T.Channel, 'Channel'> | Lacks<T.Channels, 'Channels'> | Lacks<T.Delivery, 'Delivery'> | Lacks<T.Receiver, 'Receiver'> | Lacks<T.LocalPage, 'LocalPage'> | Lacks<T.Discovery, 'Discovery'> | Lacks<T.Discovered, 'DiscoveredDevice'> | Lacks<Omit<T.User, 'contacts'>, 'User'> | Lacks<T.Duty, 'Duty'>
  | Lacks<T.TicketEscalation, 'TicketEscalation'> | Lacks<T.Forecast, 'Forecast'> | Lacks<T.ForeseenPerson, 'ForeseenPerson'> | Lacks<T.PlanEntry, 'PlanEntry'> | Lacks<T.Plan, 'EscalationPlan'>
  | Lacks<T.PlanCheck, 'PlanCheck'> | Lacks<T.PlaceRole, 'PlaceRole'> | Lacks<T.Pager, 'Pager'> | Lacks<T.PagerFinding, 'PagerFinding'> | Lacks<T.Abilities, 'Abilities'>
  | Lacks<T.Offer, 'Offer'> | Lacks<T.Remedy, 'Remedy'> | Lacks<T.DeviceRemedies, 'DeviceRemedies'> | Lacks<T.RemedyRule, 'RemedyRule'> | Lacks<T.Consent, 'Consent'> | Lacks<T.SiteRemedies, 'SiteRemedies'> | Lacks<T.DevicePort, 'DevicePort'> | Lacks<T.ParentProposal, 'ParentProposal'> | Lacks<T.DeviceTopology, 'DeviceTopology'>
  | Lacks<C.TicketClocks, 'TicketClocks'> | Lacks<C.TicketClock, 'TicketClock'> | Lacks<C.LedgerEntry, 'LedgerEntry'> | Lacks<C.Segment, 'ClockSegment'> | Lacks<C.Notice, 'ClockNotice'> | Lacks<C.Choices, 'FactChoices'> | Lacks<C.BoardClock, 'BoardClock'> | Lacks<C.ClockBoard, 'ClockBoard'>
  | Lacks<V.Visit, 'Visit'> | Lacks<V.VisitEvent, 'VisitEvent'> | Lacks<V.VisitStory, 'VisitStory'> | Lacks<V.VisitField, 'VisitField'> | Lacks<V.StepBody, 'NewVisitStep'> | Lacks<V.Dispatch, 'Dispatch'> | Lacks<V.SiteTag, 'SiteTag'> | Lacks<V.DayBriefing, 'DayBriefing'> | Lacks<V.Briefing, 'VisitBriefing'> | Lacks<V.Candidate, 'DispatchCandidate'> | Lacks<Omit<V.Piece, 'doubt' | 'distance_m' | 'gateway_id'>, 'VisitEvidence'>
  | Lacks<I.Inspection, 'Inspection'> | Lacks<I.InspectionStory, 'InspectionStory'> | Lacks<I.NewInspection, 'NewInspection'> | Lacks<NonNullable<I.Inspection['by_hand']>, 'ByHand'> | Lacks<I.SheetItem, 'SheetItem'> | Lacks<I.SheetSaid, 'NewSheetAnswer'> | Lacks<I.Sheet, 'InspectionChecklist'>
  | Lacks<S.Kind, 'PartKind'> | Lacks<S.Place, 'PartPlace'> | Lacks<S.Stock, 'PartStock'> | Lacks<S.Move, 'PartMove'> | Lacks<S.NewMove, 'NewPartMove'> | Lacks<S.Use, 'NewUse'> | Lacks<S.Loaner, 'Loaner'> | Lacks<S.Repair, 'Repair'> | Lacks<S.Reorder, 'Reorder'>
  | Lacks<T.Found, 'Found'> | Lacks<T.FoundDevice, 'FoundDevice'> | Lacks<T.FoundSite, 'FoundSite'> | Lacks<T.FoundTicket, 'FoundTicket'>;

/** Compiles only while nothing is lacking. */
export const agreed: [Lacking] extends [never] ? true : Lacking = true;
