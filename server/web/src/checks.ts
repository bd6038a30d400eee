// Examples for the checks of a device, by class: what a newcomer would write first. The server parses and refuses.
import type { UsualCheck, UsualChecks } from './types';

const PING = '[[check]]\nkind = "icmp"\nevery = "30s"\n';
const WEB = '[[check]]\nkind = "http"\nport = 80\nauth = "digest"\nuser = "viewer"\npassword = "…"\nexpect_status = 200\n';
const SNMP = '[[check]]\nkind = "snmp"\nversion = "3"\nuser = "monitor"\nauth = "sha256"\nauth_password = "…"\nprivacy = "aes128"\nprivacy_password = "…"\n';

const TCP = '[[check]]\nkind = "tcp"\nname = "web-port"\nport = 80\n';
const STREAM = '[[check]]\nkind = "rtsp"\npath = "/Streaming/Channels/102"\nuser = "viewer"\npassword = "…"\n';
const PICTURE = '[[check]]\nkind = "picture"\npath = "/ISAPI/Streaming/channels/101/picture"\nuser = "viewer"\npassword = "…"\n';
const ISAPI = '[[check]]\nkind = "isapi"\nuser = "viewer"\npassword = "…"\nkeep_days = 30\n';
const DAHUA = '[[check]]\nkind = "dahua"\nuser = "viewer"\npassword = "…"\nkeep_days = 30\n';
const ONVIF = '[[check]]\nkind = "onvif"\nuser = "viewer"\npassword = "…"\n';
const UPS = '[[check]]\nkind = "ups"\nversion = "2c"\ncommunity = "public"\nmin_runtime = "10m"\n';
const SWITCH =
  '[[check]]\nkind = "switch"\nversion = "3"\nuser = "monitor"\nauth = "sha256"\nauth_password = "…"\nprivacy = "aes128"\nprivacy_password = "…"\n';
const NUT = '[[check]]\nkind = "nut"\nups = "rack"\nmin_runtime = "10m"\n';
const HOST = '[[check]]\nkind = "host"\n';

/** Name of the example, TOML text. */
export const EXAMPLES: [string, string][] = [
  ['icmp', PING],
  ['tcp', TCP],
  ['rtsp', STREAM],
  ['picture', PICTURE],
  ['isapi', ISAPI],
  ['dahua', DAHUA],
  ['onvif', ONVIF],
  ['http', WEB],
  ['tls', '[[check]]\nkind = "tls"\nport = 443\nwarn_days = 30\n'],
  ['ntp', '[[check]]\nkind = "ntp"\nmax_offset_ms = 2000\n'],
  ['snmp', SNMP],
  ['switch', SWITCH],
  ['ups', UPS],
  ['nut', NUT],
  ['host', HOST],
];

export const CLASSES = ['camera', 'nvr', 'switch', 'access', 'ups', 'phone', 'intrusion', 'server', 'gateway', 'other'] as const;

export const MAKERS = ['hikvision', 'dahua', 'uniview', 'axis', 'huawei', 'h3c', 'cisco', 'ruijie', 'tplink', 'apc', 'nut', 'zkteco', 'other'] as const;

/** What a class and a maker are usually watched by, as the server will expand it. */
export function usual(rows: UsualChecks[], kind: string, maker: string): UsualCheck[] {
  const row = (of: string, by: string) => rows.find((one) => one.class === of && one.maker === by);
  return (row(kind, maker) ?? row(kind, '') ?? row('other', ''))?.checks ?? [];
}
