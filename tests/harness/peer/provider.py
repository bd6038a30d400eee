"""Providers of messages, as strict as the real ones and independent of the code they judge: signatures are
computed again with hmac, hashlib, cryptography and http_ece by each provider's published algorithm, and answers have
the real ones' shapes. `PUT /mode {"path prefix": "limit" | "garbage" | "slow" | "gone"}` sets how a provider is
in the mood; `GET /seen` returns what was accepted, and `GET /key` a browser's subscription."""

import base64, hashlib, hmac, json, os, time
import xml.etree.ElementTree as tree
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import http_ece
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

MODE, SEEN = {}, []
SUBSCRIBER = ec.generate_private_key(ec.SECP256R1())
AUTH = os.urandom(16)
TOKENS = {"live": True}
b64urldecode = lambda text: base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
b64 = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
mac = lambda key, text: hmac.new(key, text, hashlib.sha256)
PHONE = "+8613800000000"


class Refused(Exception):
    def __init__(self, status, body, headers=()):
        self.status, self.body, self.headers = status, body, dict(headers)


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body, ensure_ascii=False)
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        self.url = urlsplit(self.path)
        self.body = self.rfile.read(int(self.headers.get("content-length") or 0))
        name = self.url.path.split("/")[1]
        if name == "mode":
            MODE.clear()
            MODE.update(json.loads(self.body))
            SEEN.clear()
            TOKENS["live"] = True
            return self.answer(200, {})
        if name == "seen":
            return self.answer(200, SEEN)
        if name == "key":
            public = SUBSCRIBER.public_key().public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
            return self.answer(200, {"p256dh": b64(public), "auth": b64(AUTH)})
        mood = MODE.get(name)
        if mood == "garbage":
            return self.answer(200, "<html>welcome</html>")
        if mood == "slow":
            time.sleep(30)
            return
        try:
            getattr(self, name)(mood)
        except Refused as refused:
            self.answer(refused.status, refused.body, refused.headers)

    do_GET = do_POST = do_PUT = handle_any

    def query(self):
        return {name: values[0] for name, values in parse_qs(self.url.query, keep_blank_values=True).items()}

    def seen(self, provider, **fields):
        SEEN.append({"provider": provider, **fields})

    # 企业微信: errors come with status 200.
    def wecom(self, mood):
        query, path = self.query(), self.url.path
        if path.endswith("/cgi-bin/gettoken"):
            if (query.get("corpid"), query.get("corpsecret")) != ("ww1", "s3cret"):
                raise Refused(200, {"errcode": 40001, "errmsg": "invalid credential"})
            TOKENS["n"] = TOKENS.get("n", 0) + 1
            self.seen("wecom_token")
            return self.answer(200, {"errcode": 0, "errmsg": "ok", "access_token": f"t{TOKENS['n']}", "expires_in": 7200})
        if mood == "limit":
            raise Refused(200, {"errcode": 45009, "errmsg": "api freq out of limit"})
        message = json.loads(self.body)
        if path.endswith("/cgi-bin/webhook/send"):
            if query.get("key") != "robot-key":
                raise Refused(200, {"errcode": 93000, "errmsg": "invalid webhook url"})
            text = message["text"]
            self.seen("wecom_robot", text=text["content"], to=text["mentioned_mobile_list"] + text["mentioned_list"])
            return self.answer(200, {"errcode": 0, "errmsg": "ok"})
        if query.get("access_token") != f"t{TOKENS.get('n')}":
            raise Refused(200, {"errcode": 40014, "errmsg": "invalid access_token"})
        if mood == "expired" and TOKENS.pop("live", None):
            raise Refused(200, {"errcode": 42001, "errmsg": "access_token expired"})
        if message["agentid"] != 1000002 or message["msgtype"] != "text":
            raise Refused(200, {"errcode": 40056, "errmsg": "invalid agentid"})
        if message["touser"] != "LiWei":
            return self.answer(200, {"errcode": 0, "errmsg": "ok", "invaliduser": message["touser"]})
        assert len(message["text"]["content"].encode()) <= 2048
        self.seen("wecom_app", text=message["text"]["content"], to=message["touser"])
        self.answer(200, {"errcode": 0, "errmsg": "ok", "invaliduser": "", "msgid": "m1"})

    # 钉钉
    def dingtalk(self, mood):
        query = self.query()
        if query.get("access_token") != "ding-token":
            raise Refused(200, {"errcode": 300001, "errmsg": "token is not exist"})
        stamp, secret = query.get("timestamp", ""), "SECding"
        want = base64.b64encode(mac(secret.encode(), f"{stamp}\n{secret}".encode()).digest()).decode()
        if query.get("sign") != want or len(stamp) != 13:
            raise Refused(200, {"errcode": 310000, "errmsg": "sign not match, more: [https://ding-doc.dingtalk.com]"})
        if mood == "limit":
            raise Refused(200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"})
        message = json.loads(self.body)
        assert f"@{PHONE}" in message["text"]["content"] and message["at"]["atMobiles"] == [PHONE]
        self.seen("dingtalk", text=message["text"]["content"], to=PHONE)
        self.answer(200, {"errcode": 0, "errmsg": "ok"})

    # 飞书
    def feishu(self, mood):
        message = json.loads(self.body)
        if not self.url.path.endswith("/open-apis/bot/v2/hook/fs-token"):
            raise Refused(200, {"code": 19001, "msg": "param invalid: incoming webhook access token invalid"})
        stamp = message.get("timestamp", "")
        want = base64.b64encode(mac(f"{stamp}\nfs-secret".encode(), b"").digest()).decode()
        if message.get("sign") != want or len(stamp) != 10:
            raise Refused(200, {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"})
        if mood == "limit":
            raise Refused(200, {"code": 11232, "msg": "frequency limited psm[lark.oapi.app_platform_runtime]"})
        self.seen("feishu", text=message["content"]["text"])
        self.answer(200, {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"})

    def slack(self, mood):
        if self.url.path != "/slack/services/T0/B0/x":
            raise Refused(404, "no_service")
        if mood == "limit":
            raise Refused(429, "rate_limited", {"retry-after": "37"})
        message = json.loads(self.body)
        self.seen("slack", text=message["text"])
        self.answer(200, "ok")

    def telegram(self, mood):
        if self.url.path != "/telegram/bot7:AAx/sendMessage":
            raise Refused(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        if mood == "limit":
            raise Refused(429, {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 41",
                                "parameters": {"retry_after": 41}})
        if mood == "gone":
            raise Refused(403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"})
        message = json.loads(self.body)
        if message["chat_id"] != "4711":
            raise Refused(400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"})
        self.seen("telegram", text=message["text"])
        self.answer(200, {"ok": True, "result": {"message_id": 9, "text": message["text"]}})

    # 阿里云: ACS3-HMAC-SHA256 over method, path, sorted query, signed headers, hash of the body.
    def acs3(self, mood):
        scheme, _, rest = self.headers["authorization"].partition(" ")
        fields = dict(part.split("=", 1) for part in rest.split(","))
        names = fields["SignedHeaders"].split(";")
        assert scheme == "ACS3-HMAC-SHA256" and names == sorted(names)
        assert {"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"} <= set(names)
        pairs = sorted(parse_qs(self.url.query, keep_blank_values=True, strict_parsing=True).items())
        canonical_query = "&".join(f"{quote(n, safe='-_.~')}={quote(v[0], safe='-_.~')}" for n, v in pairs)
        digest = hashlib.sha256(self.body).hexdigest()
        request = "\n".join([self.command, "/", canonical_query,
                             "".join(f"{n}:{self.headers[n].strip()}\n" for n in names), ";".join(names), digest])
        want = mac(b"ali-secret", f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}".encode()).hexdigest()
        if fields["Credential"] != "ali-id":
            raise Refused(404, {"Code": "InvalidAccessKeyId.NotFound", "Message": "Specified access key is not found."})
        if fields["Signature"] != want or self.headers["x-acs-content-sha256"] != digest:
            raise Refused(400, {"Code": "SignatureDoesNotMatch", "Message": "Specified signature is not matched with our calculation."})
        query = self.query()
        action = self.headers["x-acs-action"]
        if mood == "limit":
            raise Refused(200, {"Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": "触发分钟级流控Permits:1", "RequestId": "r"})
        phone = query.get("PhoneNumbers") or query.get("CalledNumber")
        if phone != PHONE[3:]:
            raise Refused(200, {"Code": "isv.MOBILE_NUMBER_ILLEGAL", "Message": f"{phone}invalid mobile number", "RequestId": "r"})
        params = json.loads(query.get("TemplateParam") or query.get("TtsParam"))
        assert all(len(value) <= 35 for value in params.values()), params
        self.seen({"SendSms": "aliyun_sms", "SingleCallByTts": "aliyun_voice"}[action], text=params["what"], to=phone)
        self.answer(200, {"Code": "OK", "Message": "OK", "RequestId": "r", "BizId": "b^1"})

    # 腾讯云: TC3-HMAC-SHA256.
    def tc3(self, mood):
        scheme, _, rest = self.headers["authorization"].partition(" ")
        fields = dict(part.strip().split("=", 1) for part in rest.split(","))
        key_id, date, service, end = fields["Credential"].split("/")
        fail = lambda code, message: Refused(200, {"Response": {"Error": {"Code": code, "Message": message}, "RequestId": "r"}})
        stamp = self.headers["x-tc-timestamp"]
        if key_id != "AKID" or date != time.strftime("%Y-%m-%d", time.gmtime(int(stamp))):
            raise fail("AuthFailure.SecretIdNotFound", "The SecretId is not found")
        names = fields["SignedHeaders"].split(";")
        value = lambda name: self.headers[name].lower() if name == "x-tc-action" else self.headers[name]
        request = "\n".join(["POST", "/", "", "".join(f"{n}:{value(n)}\n" for n in names), ";".join(names),
                             hashlib.sha256(self.body).hexdigest()])
        to_sign = "\n".join([scheme, stamp, f"{date}/{service}/{end}", hashlib.sha256(request.encode()).hexdigest()])
        key = b"TC3tc-secret"
        for part in (date, service, end):
            key = mac(key, part.encode()).digest()
        if fields["Signature"] != mac(key, to_sign.encode()).hexdigest():
            raise fail("AuthFailure.SignatureFailure", "The provided credentials could not be validated.")
        message = json.loads(self.body)
        sms = self.headers["x-tc-action"] == "SendSms"
        assert service == ("sms" if sms else "vms"), service
        phone = message["PhoneNumberSet"][0] if sms else message["CalledNumber"]
        status = lambda code, words: {"Response": {"SendStatusSet": [{"Code": code, "Message": words, "PhoneNumber": phone}], "RequestId": "r"}}
        if mood == "limit":
            if sms:
                raise Refused(200, status("LimitExceeded.PhoneNumberThirtySecondLimit", "the number of SMS messages exceeds the limit"))
            raise fail("RequestLimitExceeded", "The number of requests exceeds the frequency limit.")
        if phone != PHONE:
            if sms:
                raise Refused(200, status("InvalidParameterValue.IncorrectPhoneNumber", "incorrect phone number"))
            raise fail("InvalidParameterValue.CalledNumberVerifyFail", "called number")
        self.seen("tencent_sms" if sms else "tencent_voice", text=message["TemplateParamSet"][2], to=phone)
        self.answer(200, status("Ok", "send success") if sms else {"Response": {"SendStatus": {"CallId": "c1"}, "RequestId": "r"}})

    def twilio(self, mood):
        want = "Basic " + base64.b64encode(b"AC1:tw-token").decode()
        if self.headers["authorization"] != want:
            raise Refused(401, {"code": 20003, "message": "Authenticate", "status": 401})
        form = {name: values[0] for name, values in parse_qs(self.body.decode(), strict_parsing=True).items()}
        if mood == "limit":
            raise Refused(429, {"code": 20429, "message": "Too Many Requests", "status": 429})
        if mood == "gone":
            raise Refused(400, {"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400})
        if form["To"] != PHONE or form["From"] != "+15005550006":
            raise Refused(400, {"code": 21211, "message": f"The 'To' number {form['To']} is not a valid phone number.", "status": 400})
        if self.url.path == "/twilio/2010-04-01/Accounts/AC1/Messages.json":
            self.seen("twilio_sms", text=form["Body"], to=form["To"])
        else:
            assert self.url.path == "/twilio/2010-04-01/Accounts/AC1/Calls.json", self.url.path
            self.seen("twilio_voice", text=tree.fromstring(form["Twiml"]).find("Say").text, to=form["To"])
        self.answer(201, {"sid": "SM1", "status": "queued"})

    # RFC 8030, 8188, 8291, 8292.
    def push(self, mood):
        scheme, _, rest = (self.headers["authorization"] or "").partition(" ")
        fields = dict(part.strip().split("=", 1) for part in rest.split(","))
        host = f"http://{self.headers['host']}"
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b64urldecode(fields["k"].encode()))
        signed, _, signature = fields["t"].rpartition(".")
        raw = b64urldecode(signature.encode())
        try:
            der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
            key.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
        except Exception:
            raise Refused(403, "invalid JWT provided")
        claims = json.loads(b64urldecode(signed.split(".")[1].encode()))
        if scheme != "vapid" or claims["aud"] != host or not claims["sub"].startswith("mailto:"):
            raise Refused(403, "invalid JWT provided")
        if mood == "limit":
            raise Refused(429, "too many", {"retry-after": "53"})
        if mood == "gone":
            raise Refused(410, "push subscription has unsubscribed or expired")
        if self.headers["content-encoding"] != "aes128gcm" or not int(self.headers["ttl"]):
            raise Refused(400, "bad headers")
        plain = http_ece.decrypt(self.body, private_key=SUBSCRIBER, auth_secret=AUTH, version="aes128gcm")
        message = json.loads(plain)
        self.seen("web_push", text=message["title"], to=self.url.path, topic=self.headers["topic"])
        self.answer(201, "", {"location": "/push/m/1"})

    def ntfy(self, mood):
        if self.headers["authorization"] != "Bearer tk_x":
            raise Refused(401, {"code": 40101, "http": 401, "error": "unauthorized"})
        if mood == "limit":
            raise Refused(429, {"code": 42901, "http": 429, "error": "limit reached: too many requests"})
        message = json.loads(self.body)
        if message["topic"] != "north-gate":
            raise Refused(403, {"code": 40301, "http": 403, "error": "forbidden"})
        self.seen("ntfy", text=message["title"], priority=message["priority"])
        self.answer(200, {"id": "n1", "event": "message"})

    def alertmanager(self, mood):
        alerts = json.loads(self.body)
        assert self.url.path == "/alertmanager/api/v2/alerts" and all(a["labels"]["alertname"] for a in alerts)
        if mood == "limit":
            raise Refused(503, "unavailable")
        self.seen("alertmanager", alerts=alerts)
        self.answer(200)

    def pagerduty(self, mood):
        event = json.loads(self.body)
        if event["routing_key"] != "R" * 32:
            raise Refused(400, {"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing key"]})
        if mood == "limit":
            raise Refused(429, {"status": "throttle exceeded"})
        assert self.url.path == "/pagerduty/v2/enqueue" and event["payload"]["summary"] and event["payload"]["source"] is not None
        assert event["payload"]["severity"] in ("critical", "error", "warning", "info")
        self.seen("pagerduty", action=event["event_action"], key=event["dedup_key"])
        self.answer(202, {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]})

    def signed(self, mood):
        stamp = self.headers["x-sitewarden-timestamp"]
        want = "v1=" + mac(b"hook-secret", stamp.encode() + b"." + self.body).hexdigest()
        if self.headers["x-sitewarden-signature"] != want:
            raise Refused(401, "wrong signature")
        self.seen("signed", event=json.loads(self.body)["event"], number=json.loads(self.body)["ticket"]["number"])
        self.answer(204)


class Root(Provider):
    """The cloud providers take their requests at `/`; the host's name tells them apart."""

    def handle_any(self):
        if urlsplit(self.path).path == "/":
            name = "tc3" if "x-tc-action" in self.headers else "acs3" if "x-acs-action" in self.headers else "ntfy"
            self.path = f"/{name}" + ("?" + urlsplit(self.path).query if urlsplit(self.path).query else "")
        super().handle_any()

    do_GET = do_POST = do_PUT = handle_any


server = ThreadingHTTPServer(("127.0.0.1", 0), Root)
print("listening", server.server_address[1], flush=True)
server.serve_forever()
