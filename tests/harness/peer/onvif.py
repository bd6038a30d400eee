"""A camera that restarts by ONVIF SystemReboot, as strict as the standards: SOAP 1.2 with its action, a WS-Security
UsernameToken whose digest is computed again here (OASIS UsernameToken Profile 1.0: Base64(SHA-1(nonce + created +
password))), `Created` within a minute of the camera's own clock, no nonce twice. It also tells what it is: identity, services,
profiles, addresses, and events over a subscription at a port of its own. Arguments: user, password, how many seconds its clock
is ahead, a file in JSON with what else is special about it. `GET /seen` tells what was obeyed and why others were refused."""

import base64, hashlib, json, re, secrets, sys, threading
import xml.etree.ElementTree as tree
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER, PASSWORD, AHEAD = sys.argv[1], sys.argv[2], timedelta(seconds=float(sys.argv[3]))
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
DEVICE = "{http://www.onvif.org/ver10/device/wsdl}"
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
EXT, UTILITY = "{%swssecurity-secext-1.0.xsd}" % OASIS, "{%swssecurity-utility-1.0.xsd}" % OASIS
DIGEST = OASIS + "username-token-profile-1.0#PasswordDigest"
MEDIA, EVENTS = "http://www.onvif.org/ver10/media/wsdl", "http://www.onvif.org/ver10/events/wsdl"
NOTIFY, WSA = "http://docs.oasis-open.org/wsn/b-2", "{http://www.w3.org/2005/08/addressing}"
OBEYED, REFUSED, ASKED, NONCES = [], [], [], set()
SUBSCRIPTIONS, CHALLENGES = set(), set()
LOCK, NOW, MOST = threading.Lock(), 0, 0


def state():
    with open(sys.argv[4]) as file:
        return json.load(file)


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


def identity(told):
    return (
        "<tds:GetDeviceInformationResponse><tds:Manufacturer>HIKVISION</tds:Manufacturer><tds:Model>DS-2CD2143G0-I</tds:Model>"
        f"<tds:FirmwareVersion>V5.6.3 build 190923</tds:FirmwareVersion><tds:SerialNumber>{told['serial']}</tds:SerialNumber>"
        "<tds:HardwareId>88</tds:HardwareId></tds:GetDeviceInformationResponse>"
    )


def services(told):
    # As many devices do: the newer version first, and the address of another network.
    rows = [(DEVICE[1:-1], "device_service"), ("http://www.onvif.org/ver20/media/wsdl", "Media2"), (MEDIA, "Media"), (EVENTS, "Events")]
    rows = "".join(
        f"<tds:Service><tds:Namespace>{name}</tds:Namespace><tds:XAddr>http://192.168.1.99:8899/onvif/{path}</tds:XAddr>"
        "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
        for name, path in rows
    )
    return f"<tds:GetServicesResponse>{rows}</tds:GetServicesResponse>"


def capabilities(told):
    return (
        "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Device><tt:XAddr>http://192.168.1.99/onvif/device_service</tt:XAddr></tt:Device>"
        "<tt:Events><tt:XAddr>http://192.168.1.99/onvif/Events</tt:XAddr></tt:Events>"
        "<tt:Media><tt:XAddr>http://192.168.1.99/onvif/Media</tt:XAddr></tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>"
    )


def profiles(told):
    rows = "".join(f'<trt:Profiles token="{token}" fixed=true><tt:Name>{token}</tt:Name></trt:Profiles>' for token in told["profiles"])
    return f"<trt:GetProfilesResponse>{rows}</trt:GetProfilesResponse>"


def address(name, uri):
    return (
        f"<trt:{name}Response><trt:MediaUri><tt:Uri>{uri}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
        f"<tt:Timeout>PT0S</tt:Timeout></trt:MediaUri></trt:{name}Response>"
    )


def subscribe(told):
    need(len(SUBSCRIPTIONS) < told["slots"], "slots")
    name = f"http://192.168.1.99:{event_server.server_address[1]}/event-1025_{len(ASKED)}"
    SUBSCRIPTIONS.add(name)
    # Some give a subscription that is over already.
    return (
        '<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference><wsa:Address xmlns:wsa="%s">%s</wsa:Address>'
        "</tev:SubscriptionReference><wsnt:CurrentTime>2026-01-01T00:00:00Z</wsnt:CurrentTime>"
        "<wsnt:TerminationTime>2026-01-01T00:00:00Z</wsnt:TerminationTime></tev:CreatePullPointSubscriptionResponse>" % (WSA[1:-1], name)
    )


def messages(told):
    rows = "".join(
        '<wsnt:NotificationMessage><wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        f"{topic}</wsnt:Topic><wsnt:Message><tt:Message UtcTime=\"0000-00-00T00:00:00Z\" PropertyOperation=\"Initialized\"><tt:Source>"
        f'<tt:SimpleItem Name="Source" Value="{source}"/></tt:Source><tt:Data><tt:SimpleItem Name="State" Value="{value}"/></tt:Data>'
        "</tt:Message></wsnt:Message></wsnt:NotificationMessage>"
        for topic, source, value in told["notices"]
    )
    return f"<tev:PullMessagesResponse><tev:CurrentTime>2026-01-01T00:00:00Z</tev:CurrentTime>{rows}</tev:PullMessagesResponse>"


ANSWERS = {
    DEVICE + "GetDeviceInformation": identity,
    DEVICE + "GetServices": services,
    DEVICE + "GetCapabilities": capabilities,
    "{%s}GetProfiles" % MEDIA: profiles,
    "{%s}GetStreamUri" % MEDIA: lambda told: address("GetStreamUri", "rtsp://admin:12345@0.0.0.0:554/Streaming/Channels/101"),
    "{%s}GetSnapshotUri" % MEDIA: lambda told: address("GetSnapshotUri", "http://192.168.1.99/onvif/snapshot"),
    "{%s}CreatePullPointSubscription" % EVENTS: subscribe,
}
ACTIONS = {
    "{%s}CreatePullPointSubscription" % EVENTS: EVENTS + "/EventPortType/CreatePullPointSubscriptionRequest",
    "{%s}PullMessages" % EVENTS: EVENTS + "/PullPointSubscription/PullMessagesRequest",
    "{%s}Unsubscribe" % NOTIFY: "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest",
}
PATHS = {DEVICE[1:-1]: "/onvif/device_service", MEDIA: "/onvif/Media", EVENTS: "/onvif/Events"}


def digest_fits(line, method, path):
    """RFC 7616 with MD5 and qop=auth, computed from its text."""
    word = lambda key: (re.search(rf'\b{key}="?([^",]*)"?', line) or [None, ""])[1]
    need(line.startswith("Digest "), "no digest")
    need(word("nonce") in CHALLENGES, "nonce")
    CHALLENGES.discard(word("nonce"))
    md5 = lambda text: hashlib.md5(text.encode()).hexdigest()
    first, second = md5(f"{USER}:camera:{PASSWORD}"), md5(f"{method}:{path}")
    right = md5(":".join([first, word("nonce"), word("nc"), word("cnonce"), "auth", second]))
    need(word("username") == USER and word("uri") == path and word("response") == right, "digest")


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
        names = 'xmlns:s="%s" xmlns:tds="%s" xmlns:trt="%s" xmlns:tev="%s" xmlns:wsnt="%s" xmlns:tt="http://www.onvif.org/ver10/schema"' % (
            SOAP[1:-1], DEVICE[1:-1], MEDIA, EVENTS, NOTIFY)
        self.answer(status, "application/soap+xml; charset=utf-8", f"<s:Envelope {names}><s:Body>{inner}</s:Body></s:Envelope>")

    def do_GET(self):
        seen = {"obeyed": OBEYED, "refused": REFUSED, "asked": ASKED, "subscriptions": len(SUBSCRIPTIONS), "most": MOST}
        self.answer(200, "application/json", json.dumps(seen))

    def do_POST(self):
        global NOW, MOST
        with LOCK:
            NOW += 1
            MOST = max(MOST, NOW)
        try:
            self.hear(self.rfile.read(int(self.headers.get("content-length") or 0)))
        finally:
            with LOCK:
                NOW -= 1

    def hear(self, body):
        told = state()
        try:
            kind = self.headers.get("content-type") or ""
            need(kind.startswith("application/soap+xml"), "content type")
            envelope = tree.fromstring(body)
            need(envelope.tag == SOAP + "Envelope", "envelope")
            operation, header = envelope.find(SOAP + "Body")[0].tag, envelope.find(SOAP + "Header")
            space, name = operation[1:].split("}")
            action = ACTIONS.get(operation, f"{space}/{name}")
            need(f'action="{action}"' in kind, "action")
            if operation not in (DEVICE + "GetSystemDateAndTime",) or told["clock_login"]:
                if told["auth"] == "digest":
                    line = self.headers.get("authorization")
                    if line is None:
                        return self.challenge()
                    digest_fits(line, "POST", self.path)
                else:
                    login(header)
            elif operation == DEVICE + "GetSystemDateAndTime":
                need(header is None or header.find(EXT + "Security") is None, "a login where none is wanted")
            ASKED.append(name)
            if name in told["breaks"]:
                status, kind, text = told["breaks"][name]
                return self.answer(status, kind, text)
            if name in told["lacks"]:
                return self.fault(500, "ter:ActionNotSupported", "Optional Action Not Implemented")
            if operation == DEVICE + "SystemReboot":
                OBEYED.append("SystemReboot")
                return self.soap(200, "<tds:SystemRebootResponse><tds:Message>Rebooting in 10 s</tds:Message></tds:SystemRebootResponse>")
            if operation == DEVICE + "GetSystemDateAndTime":
                return self.soap(200, clock())
            if operation in ("{%s}PullMessages" % EVENTS, "{%s}Unsubscribe" % NOTIFY):
                to = (header.findtext(WSA + "To") or "").strip()
                need(self.server is event_server and to in SUBSCRIPTIONS and to.endswith(self.path), "wsa:To")
                if name == "PullMessages":
                    return self.soap(200, messages(told))
                SUBSCRIPTIONS.discard(to)
                return self.soap(200, "<wsnt:UnsubscribeResponse/>")
            need(self.server is server and self.path == PATHS.get(space), "path")
            need(operation in ANSWERS, "operation")
            self.soap(200, ANSWERS[operation](told))
        except (Refused, ValueError, TypeError, IndexError, tree.ParseError) as why:
            REFUSED.append(str(why))
            if str(why) == "slots":
                return self.fault(500, "ter:CapabilityViolated", "Maximum number of PullPoints reached")
            if told["auth"] == "digest" and str(why) == "digest":
                return self.challenge()
            self.fault(400, "ter:NotAuthorized", "Sender not authorized")

    def challenge(self):
        nonce = secrets.token_hex(8)
        CHALLENGES.add(nonce)
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="camera"')
        self.send_header("WWW-Authenticate", f'Digest realm="camera", nonce="{nonce}", qop="auth"')
        self.send_header("content-length", "0")
        self.end_headers()

    def fault(self, status, code, text):
        self.soap(status, f"<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{code}</s:Value></s:Subcode>"
                  f"</s:Code><s:Reason><s:Text xml:lang=\"en\">{text}</s:Text></s:Reason></s:Fault>")


server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
event_server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
threading.Thread(target=event_server.serve_forever, daemon=True).start()
print("listening", server.server_address[1], flush=True)
server.serve_forever()
