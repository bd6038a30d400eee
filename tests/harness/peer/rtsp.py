"""A camera's streams, served by gst-rtsp-server, whose RTSP, SDP, RTP and Digest are not ours. Arguments: how it asks for a
login (open, basic, digest), user, password. Paths: /live (H.264), /live265, /jpeg, /black, /stalled (plays, and after a
moment nothing comes), /deltas (no key frame), /lossy (every fifth packet is missing),
/slow (25 frames a second declared, 5 made), /dead (its source cannot be opened). Prints `listening PORT`, and a line for each
request that was granted."""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

Gst.init(None)
LOGIN, USER, PASSWORD = sys.argv[1:4]
SOURCE = "videotestsrc is-live=true pattern={pattern} ! video/x-raw,width=320,height=240,framerate=25/1 ! identity name=made ! "
H264 = SOURCE + "x264enc name=encoder tune=zerolatency speed-preset=ultrafast key-int-max={gop} ! rtph264pay name=pay0 pt=96 mtu=400"
H265 = SOURCE + "x265enc name=encoder tune=zerolatency speed-preset=ultrafast key-int-max={gop} ! rtph265pay name=pay0 pt=96 mtu=400"
JPEG = SOURCE + "videoconvert ! video/x-raw,format=I420 ! jpegenc name=encoder ! rtpjpegpay name=pay0 pt=26"
KINDS = Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST
PASS, DROP = Gst.PadProbeReturn.OK, Gst.PadProbeReturn.DROP


def counted(decide):
    """A probe that decides by how many came before, and by the buffer where there is one."""
    seen = [0]

    def probe(_pad, info):
        seen[0] += 1
        return PASS if decide(seen[0], info.get_buffer()) else DROP

    return probe


def is_delta(buffer):
    return buffer is not None and buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)


# Name: pipeline, and where buffers are let through under which condition.
STREAMS = {
    "live": (H264.format(pattern="smpte", gop=25), None),
    "live265": (H265.format(pattern="smpte", gop=25), None),
    "jpeg": (JPEG.format(pattern="smpte"), None),
    "black": (H264.format(pattern="black", gop=25), None),
    "stalled": (H264.format(pattern="smpte", gop=25), ("pay0", lambda n, _: n <= 5)),
    "deltas": (H264.format(pattern="ball", gop=10000), ("encoder", lambda n, buffer: is_delta(buffer))),
    "lossy": (H264.format(pattern="snow", gop=25), ("pay0", lambda n, _: n % 5 != 4)),
    "slow": (H264.format(pattern="smpte", gop=5), ("made", lambda n, _: n % 5 == 1)),
    "dead": ("filesrc location=/nonexistent/camera ! h264parse ! rtph264pay name=pay0 pt=96", None),
}


def configure(_factory, media, where):
    name, decide = where
    media.get_element().get_by_name_recurse_up(name).get_static_pad("src").add_probe(KINDS, counted(decide))


def say(_client, context, word):
    print(word, context.uri.abspath if context.uri else "", flush=True)


def connected(_server, client):
    for word in ("options", "describe", "setup", "play", "teardown"):
        client.connect(f"{word}-request", say, word)


server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
server.connect("client-connected", connected)
if LOGIN != "open":
    auth = GstRtspServer.RTSPAuth()
    auth.set_realm("camera")
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if LOGIN == "basic":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(USER, PASSWORD), token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(USER, PASSWORD, token)
    server.set_auth(auth)
for path, (launch, where) in STREAMS.items():
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {launch} )")
    if where is not None:
        factory.connect("media-configure", configure, where)
    if LOGIN != "open":
        permissions = GstRtspServer.RTSPPermissions()
        for right in ("media.factory.access", "media.factory.construct"):
            permissions.add_permission_for_role("viewer", right, True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory(f"/{path}", factory)
server.attach(None)
print("listening", server.get_bound_port(), flush=True)
GLib.MainLoop().run()
