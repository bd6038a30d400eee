"""A camera that restarts by ONVIF SystemReboot, as strict as the standards: SOAP 1.2 with its action, a WS-Security
UsernameToken whose digest is computed again here (OASIS UsernameToken Profile 1.0: Base64(SHA-1(nonce + created +
password))), `Created` within a minute of the camera's own clock, no nonce twice. Arguments: user, password, how many
seconds its clock is ahead. `GET /seen` tells what was obeyed and why others were refused."""

import base64, hashlib, json, sys
import xml.etree.ElementTree as tree
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER, PASSWORD, AHEAD = sys.argv[1], sys.argv[2], timedelta(seconds=float(sys.argv[3]))
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
DEVICE = "{http://www.onvif.org/ver10/device/wsdl}"
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
EXT, UTILITY = "{%swssecurity-secext-1.0.xsd}" % OASIS, "{%swssecurity-utility-1.0.xsd}" % OASIS
DIGEST = OASIS + "username-token-profile-1.0#PasswordDigest"
OBEYED, REFUSED, NONCES = [], [], set()


class Refused(Exception):
    pass


def need(holds, why):
    if not holds:
        raise Refused(why)


def login(header):
    security = header.find(EXT + "Security") if header is not None else None
    need(security is not None, "no security header")
    need(security.get(SOAP + "mustUnderstand") in ("1", "true"), "mustUnderstand")
    token = security.find(EXT + "UsernameToken")
    need(token is not None, "no token")
    word = lambda name: (token.findtext(name) or "").strip()
    password = token.find(EXT + "Password")
    need(password is not None and password.get("Type") == DIGEST, "password type")
    nonce, created = base64.b64decode(word(EXT + "Nonce"), validate=True), word(UTILITY + "Created")
    need(len(nonce) >= 16, "short nonce")
    at = datetime.strptime(created, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    need(abs(datetime.now(timezone.utc) + AHEAD - at) < timedelta(seconds=60), "created")
    need(nonce not in NONCES, "replayed")
    right = base64.b64encode(hashlib.sha1(nonce + created.encode() + PASSWORD.encode()).digest()).decode()
    need(word(EXT + "Username") == USER, "user")
    need((password.text or "").strip() == right, "digest")
    NONCES.add(nonce)


def clock():
    now = datetime.now(timezone.utc) + AHEAD
    return (
        '<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:UTCDateTime>'
        f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second></tt:Time>"
        f"<tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
        "</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


class Camera(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def soap(self, status, inner):
        names = 'xmlns:s="%s" xmlns:tds="%s" xmlns:tt="http://www.onvif.org/ver10/schema"' % (SOAP[1:-1], DEVICE[1:-1])
        self.answer(status, "application/soap+xml; charset=utf-8", f"<s:Envelope {names}><s:Body>{inner}</s:Body></s:Envelope>")

    def do_GET(self):
        self.answer(200, "application/json", json.dumps({"obeyed": OBEYED, "refused": REFUSED}))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            need(self.path == "/onvif/device_service", "path")
            kind = self.headers.get("content-type") or ""
            need(kind.startswith("application/soap+xml"), "content type")
            envelope = tree.fromstring(body)
            need(envelope.tag == SOAP + "Envelope", "envelope")
            operation = envelope.find(SOAP + "Body")[0].tag
            need(f'action="{DEVICE[1:-1]}/{operation.removeprefix(DEVICE)}"' in kind, "action")
            if operation == DEVICE + "GetSystemDateAndTime":
                return self.soap(200, clock())
            need(operation == DEVICE + "SystemReboot", "operation")
            login(envelope.find(SOAP + "Header"))
            OBEYED.append("SystemReboot")
            self.soap(200, "<tds:SystemRebootResponse><tds:Message>Rebooting in 10 s</tds:Message></tds:SystemRebootResponse>")
        except (Refused, ValueError, TypeError, IndexError, tree.ParseError) as why:
            REFUSED.append(str(why))
            self.soap(400, "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode>"
                      "</s:Code><s:Reason><s:Text xml:lang=\"en\">Sender not authorized</s:Text></s:Reason></s:Fault>")


server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
print("listening", server.server_address[1], flush=True)
server.serve_forever()
