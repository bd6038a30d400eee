// Examples for the checks of a device, by class: what a newcomer would write first. The server parses and refuses.
const PING = '[[check]]\nkind = "icmp"\nevery = "30s"\n';
const WEB = '[[check]]\nkind = "http"\nport = 80\nauth = "digest"\nuser = "viewer"\npassword = "…"\nexpect_status = 200\n';
const SNMP = '[[check]]\nkind = "snmp"\nversion = "3"\nuser = "monitor"\nauth = "sha256"\nauth_password = "…"\nprivacy = "aes128"\nprivacy_password = "…"\n';

/** Name of the example, TOML text. */
export const EXAMPLES: [string, string][] = [
  ['icmp', PING],
  ['tcp', '[[check]]\nkind = "tcp"\nname = "rtsp"\nport = 554\n'],
  ['http', WEB],
  ['tls', '[[check]]\nkind = "tls"\nport = 443\nwarn_days = 30\n'],
  ['ntp', '[[check]]\nkind = "ntp"\nmax_offset_ms = 2000\n'],
  ['snmp', SNMP],
  ['host', '[[check]]\nkind = "host"\n'],
];

export const CLASSES = ['camera', 'nvr', 'switch', 'access', 'ups', 'phone', 'intrusion', 'server', 'gateway', 'other'] as const;

/** What to start with for a class. */
export function starter(kind: string): string {
  if (kind === 'gateway') return EXAMPLES[6]![1];
  if (kind === 'switch' || kind === 'ups') return `${PING}\n${SNMP}`;
  if (kind === 'camera' || kind === 'nvr') return `${PING}\n${EXAMPLES[1]![1]}\n${WEB}`;
  return PING;
}
