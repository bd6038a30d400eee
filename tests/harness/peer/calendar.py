"""Reads a calendar feed as a calendar program does, with the icalendar package, and prints its events as JSON."""

import json
import sys

import icalendar

raw = sys.stdin.buffer.read()
assert raw.endswith(b"\r\n"), "the last line has no end"
lines = raw.split(b"\r\n")
long = [line for line in lines if len(line) > 75 or b"\n" in line]
assert not long, f"lines that no program has to take: {long}"
calendars = icalendar.Calendar.from_ical(raw, multiple=True)
assert len(calendars) == 1, f"{len(calendars)} calendars"
calendar = calendars[0]
for needed in ("VERSION", "PRODID"):
    assert needed in calendar, f"{needed} is missing"
events = []
for event in calendar.walk("VEVENT"):
    assert not event.errors, event.errors
    for needed in ("UID", "DTSTAMP", "DTSTART", "DTEND"):
        assert needed in event, f"{needed} is missing"
    start, end = event.decoded("DTSTART"), event.decoded("DTEND")
    assert start.tzinfo is not None and start < end, (start, end)
    events.append(
        {
            "uid": str(event["UID"]),
            "start_at": int(start.timestamp() * 1000),
            "end_at": int(end.timestamp() * 1000),
            "summary": str(event.get("SUMMARY", "")),
            "description": str(event.get("DESCRIPTION", "")),
        }
    )
assert len({event["uid"] for event in events}) == len(events), "two events share a name"
print(json.dumps({"name": str(calendar.get("X-WR-CALNAME", "")), "events": events}))
