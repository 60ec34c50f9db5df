"""Each format in all the forms its writers have, and in forms nobody writes."""

# ruff: noqa: E501 - lines of logs are as long as their writers make them

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.gateways.flow_formats import agent, calico, conntrack, hubble, vpc
from eksnetpol.model.flows import End, Flow, Malformed, Observed

# --- the agent --------------------------------------------------------------------------------------------------------

AGENT_LINES = {
    "up to v1.2.1": '{"level":"info","ts":"2023-12-12T07:00:02.818Z","logger":"ebpf-client","msg":"Flow Info:  ","Src IP":"10.1.0.1",'
    '"Src Port":49880,"Dest IP":"10.1.6.79","Dest Port":6379,"Proto":"TCP","Verdict":"ACCEPT"}',
    "on the console": "2023-12-12T07:00:02.818Z\tINFO\tebpf-client\tFlow Info:  \t"
    '{"Src IP": "10.1.0.1", "Src Port": 49880, "Dest IP": "10.1.6.79", "Dest Port": 6379, "Proto": "TCP", "Verdict": "ACCEPT"}',
    "from v1.2.2": '{"level":"debug","ts":"2023-12-12T07:00:02.818Z","caller":"events/events.go:211","msg":"Flow Info: Src IP: 10.1.0.1 '
    'Src Port: 49880 Dest IP: 10.1.6.79 Dest Port: 6379 Proto TCP Verdict ACCEPT Direction egress"}',
    "from v1.3.0": '{"level":"debug","ts":"2023-12-12T07:00:02.818Z","caller":"events/events.go:211","msg":"Flow Info: Src IP: 10.1.0.1 '
    'Src Port: 49880 Dest IP: 10.1.6.79 Dest Port: 6379 Proto TCP Verdict ACCEPT Direction egress, Tier NETWORK_POLICY"}',
    "shipped by Fluent Bit": '{"log":"{\\"level\\":\\"info\\",\\"ts\\":\\"2023-12-12T07:00:02.818Z\\",\\"msg\\":\\"Flow Info:  \\",'
    '\\"Src IP\\":\\"10.1.0.1\\",\\"Src Port\\":49880,\\"Dest IP\\":\\"10.1.6.79\\",\\"Dest Port\\":6379,\\"Proto\\":\\"TCP\\",'
    '\\"Verdict\\":\\"ACCEPT\\"}","stream":"file"}',
    "CloudWatch, by line": "2023-12-12T07:00:02.818Z Node: ip-10-1-0-9.ec2.internal;SIP: 10.1.0.1;SPORT: 49880;DIP: 10.1.6.79;"
    "DPORT: 6379;PROTOCOL: TCP;PolicyVerdict: ACCEPT;Tier: NETWORK_POLICY",
    "CloudWatch, as JSON": '{"timestamp": 1702364402818, "message": "Node: n;SIP: 10.1.0.1;SPORT: 49880;DIP: 10.1.6.79;DPORT: 6379;'
    'PROTOCOL: TCP;PolicyVerdict: ACCEPT"}',
}
AT = 1702364402.818


@pytest.mark.parametrize("line", AGENT_LINES.values(), ids=AGENT_LINES)
def test_every_form_of_the_agents_log_says_the_same(line: str) -> None:
    assert agent.looks_like(line)
    (flow,) = agent.flows(line)
    expected = Flow(End("10.1.0.1"), End("10.1.6.79"), "TCP", 6379, 49880, first=AT, last=AT, told=False)
    assert flow._replace(first=round(flow.first, 3), last=round(flow.last, 3)) == expected


def test_ipv6_keeps_its_colons_and_several_events_may_share_a_line() -> None:
    line = (
        "Flow Info: Src IP: ::1 Src Port: 1 Dest IP: 2001:db8::5 Dest Port: 53 Proto: UDP Verdict: DENY Direction: ingress Tier: DEFAULT"
    )
    (flow,) = agent.flows(line)
    assert (flow.source, flow.destination, flow.observed) == (End("::1"), End("2001:db8::5"), Observed.REFUSED)
    events = [{"id": str(n), "timestamp": 1702364402000 + n * 1000, "message": f"Node: n;SIP: 10.0.0.{n};SPORT: 1;DIP: 10.0.1.1;DPORT: 80;"
               "PROTOCOL: SCTP;PolicyVerdict: DENY"} for n in (1, 2)]  # fmt: skip
    found = list(agent.flows(json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events})))
    assert [(f.source.address, f.last) for f in found] == [("10.0.0.1", 1702364403.0), ("10.0.0.2", 1702364404.0)]


def test_other_lines_of_the_agent_are_no_flows_and_entries_that_ran_out_no_traffic() -> None:
    other = '{"level":"info","ts":"2023-12-12T07:00:02Z","caller":"main.go:1","msg":"Starting network policy agent"}'
    assert agent.looks_like(other)
    assert list(agent.flows(other)) == []
    assert list(agent.flows(AGENT_LINES["from v1.2.2"].replace("ACCEPT", "EXPIRED/DELETED"))) == []
    with pytest.raises(ValueError, match="a verdict is begun"):
        list(agent.flows("Flow Info: Src IP: 10.0.0.1 Src Port: 1 Dest"))
    (ping,) = agent.flows(AGENT_LINES["from v1.2.2"].replace("Proto TCP", "Proto ICMP"))
    assert (ping.protocol, ping.number) == ("ICMP", None)


# --- Hubble -----------------------------------------------------------------------------------------------------------


def hubble_event(**more: object) -> dict[str, object]:
    return {
        "time": "2024-05-01T10:00:00.123456789Z", "verdict": "FORWARDED", "IP": {"source": "10.0.0.1", "destination": "10.0.0.2"},
        "l4": {"TCP": {"source_port": 40000, "destination_port": 8080, "flags": {"SYN": True}}},
        "source": {"namespace": "shop", "pod_name": "web-0"}, "destination": {"namespace": "shop", "pod_name": "api-0"},
        "Type": "L3_L4", "is_reply": False, **more,
    }  # fmt: skip


def test_hubbles_exporter_and_its_command_line_write_the_same_flow() -> None:
    flat = json.dumps(hubble_event())
    wrapped = json.dumps({"flow": hubble_event(), "node_name": "n", "time": "2024-05-01T10:00:00Z"})
    assert hubble.looks_like(flat)
    assert hubble.looks_like(wrapped)
    assert list(hubble.flows(flat)) == list(hubble.flows(wrapped))
    (flow,) = hubble.flows(flat)
    assert (flow.source, flow.destination) == (End("10.0.0.1", "shop", "web-0"), End("10.0.0.2", "shop", "api-0"))
    assert (flow.protocol, flow.number, flow.source_port, flow.observed, flow.told) == ("TCP", 8080, 40000, Observed.ACCEPTED, True)


def test_hubble_tells_drops_replies_and_types_of_icmp_and_layer_7_is_left_out() -> None:
    def one(**more: object) -> Flow:
        (flow,) = hubble.flows(json.dumps(hubble_event(**more)))
        return flow

    assert one(verdict="DROPPED").observed is Observed.REFUSED
    assert one(is_reply=True).is_reply
    assert not one(is_reply=None).told
    assert one(l4={"ICMPv4": {"type": 8}}).number == 2048
    assert one(l4={"ICMPv6": {"type": 129, "code": 0}}).protocol == "ICMPv6"
    assert list(hubble.flows(json.dumps(hubble_event(Type="L7")))) == []
    assert list(hubble.flows(json.dumps(hubble_event(verdict="TRANSLATED")))) == []
    with pytest.raises(ValueError, match="no flow in JSON"):
        list(hubble.flows('{"verdict": ["IP"'))
    with pytest.raises(ValueError, match="no port"):
        one(l4={"TCP": {"destination_port": 99999}})


# --- Calico -----------------------------------------------------------------------------------------------------------

FELIX = {
    "start_time": 1714557600, "end_time": 1714557900, "source_ip": "10.0.0.1", "source_name": "web-5d8f7-abcde",
    "source_name_aggr": "web-5d8f7-*", "source_namespace": "shop", "source_port": None, "source_type": "wep", "dest_ip": None,
    "dest_name": "-", "dest_name_aggr": "api-*", "dest_namespace": "shop", "dest_port": 8080, "dest_type": "wep", "proto": "tcp",
    "action": "allow", "reporter": "src", "bytes_in": 10, "bytes_out": 20, "num_flows": 3,
}  # fmt: skip
KEY = {
    "sourceName": "web-5d8f7-*", "sourceNamespace": "shop", "sourceType": "WorkloadEndpoint", "destName": "api-*",
    "destNamespace": "shop", "destType": "WorkloadEndpoint", "destPort": "8080", "proto": "tcp", "reporter": "Dst", "action": "Deny",
}  # fmt: skip


def test_calicos_three_spellings_say_the_same() -> None:
    (felix,) = calico.flows(json.dumps(FELIX))
    assert (felix.source, felix.destination) == (End("10.0.0.1", "shop", "web-5d8f7-abcde"), End("", "shop", "api-*"))
    assert (felix.protocol, felix.number, felix.size, felix.times, felix.last) == ("TCP", 8080, 30, 3, 1714557900.0)
    goldmane = {"id": "7", "flow": {"Key": KEY, "startTime": "1714557600", "endTime": "1714557900", "bytesIn": "10"}}
    (flow,) = calico.flows(json.dumps(goldmane))
    assert (flow.source, flow.destination, flow.number) == (End("", "shop", "web-5d8f7-*"), End("", "shop", "api-*"), 8080)
    assert (flow.observed, flow.first, flow.size) == (Observed.REFUSED, 1714557600.0, 10)
    whisker = {"total": 1, "items": [{"start_time": "2024-05-01T10:00:00Z", "action": "Allow", "source_name": "web-5d8f7-*",
               "source_namespace": "shop", "dest_name": "pub", "dest_namespace": "-", "dest_port": 443, "protocol": "tcp"}]}  # fmt: skip
    (flow,) = calico.flows(json.dumps(whisker))
    assert (flow.destination, flow.number, flow.first) == (End(), 443, 1714557600.0)
    assert all(map(calico.looks_like, (json.dumps(FELIX), json.dumps(goldmane), json.dumps(whisker))))


# --- conntrack --------------------------------------------------------------------------------------------------------

TRACKED = (
    "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=172.20.0.9 sport=45678 dport=80 packets=3 bytes=180 "
    "src=10.0.0.2 dst=10.0.0.1 sport=9000 dport=45678 packets=2 bytes=120 [ASSURED] mark=0 use=1"
)


def test_the_two_tuples_of_an_entry_tell_the_pod_behind_a_service() -> None:
    for line in (TRACKED, f"ipv4     2 {TRACKED}"):
        assert conntrack.looks_like(line)
        (flow,) = conntrack.flows(line)
        assert (flow.source, flow.destination, flow.number) == (End("10.0.0.1"), End("10.0.0.2"), 9000)
        assert (flow.asked, flow.size, flow.observed) == (("172.20.0.9", 80), 300, Observed.ACCEPTED)
    plain = "udp      17 29 src=10.0.0.1 dst=8.8.8.8 sport=5000 dport=53 [UNREPLIED] src=8.8.8.8 dst=10.0.0.1 sport=53 dport=5000 use=1"
    (flow,) = conntrack.flows(plain)
    assert (flow.asked, flow.number, flow.observed) == (None, 53, Observed.ACCEPTED)
    (flow,) = conntrack.flows(plain.replace("udp      17 29", "tcp      6 117 SYN_SENT"))
    assert flow.observed is Observed.UNANSWERED
    (ping,) = conntrack.flows("icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=7 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=7")
    assert (ping.protocol, ping.number) == ("ICMP", 2048)
    assert list(conntrack.flows("conntrack v1.4.6 (conntrack-tools): 3 flow entries have been shown.")) == []
    with pytest.raises(ValueError, match="no entry of the table"):
        list(conntrack.flows("hello"))


# --- VPC Flow Logs ----------------------------------------------------------------------------------------------------

RECORD = "2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"


def read(lines: list[str], reader: vpc.Reader | None = None) -> tuple[list[tuple[str, ...]], list[Malformed]]:
    bad: list[Malformed] = []
    reader = reader or vpc.Reader()
    rows, numbers = reader.records(lines, 1, bad.append)
    assert len(rows) == len(numbers)
    columns = reader.layout.columns
    picked = [tuple(row[c] for c in (columns.source, columns.destination, columns.port, columns.flags, columns.action)) for row in rows]
    return picked, bad


def test_the_default_format_has_no_header_in_cloudwatch_and_a_time_before_it_in_exports() -> None:
    expected = [("172.31.16.139", "172.31.16.21", "22", "ACCEPT", "ACCEPT")]
    assert vpc.looks_like(RECORD)
    assert read([RECORD]) == (expected, [])
    assert read([f"2014-12-14T04:07:50.000Z {RECORD}", ""]) == (expected, [])


def test_a_header_names_the_fields_in_any_order_and_the_packets_addresses_go_first() -> None:
    head = "pkt-dstaddr action dstport srcport protocol pkt-srcaddr srcaddr dstaddr tcp-flags"
    line = "10.0.0.2 REJECT 443 40000 6 10.0.0.1 10.9.9.1 10.9.9.2 3"
    reader = vpc.Reader()
    assert read([head, line], reader) == ([("10.0.0.1", "10.0.0.2", "443", "3", "REJECT")], [])
    assert reader.layout.own_addresses
    athena = vpc.Layout(["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "tcp_flags"])
    assert read(["10.0.0.1 10.0.0.2 1 2 6 2"], vpc.Reader(athena)) == ([("10.0.0.1", "10.0.0.2", "2", "2", "10.0.0.1")], [])
    with pytest.raises(ValueError, match="srcaddr"):
        vpc.Layout(["dstaddr", "srcport", "dstport", "protocol"])


def test_short_lines_are_named_and_the_others_read() -> None:
    rows, bad = read([RECORD, "2 123456789010 eni-1", "", RECORD])
    assert len(rows) == 2
    assert [b.line for b in bad] == [2]


# --- anything at all --------------------------------------------------------------------------------------------------

_words = st.sampled_from(['"Src IP":', "Src IP: 10.0.0.1 ", "SIP: 1.2.3.4;", "src=", "dst=10.0.0.1", "sport=99999999", '{"flow":', "}",
                          '{"IP":{"source":', "::", "Flow Info:", "PolicyVerdict: DENY", '"verdict"', "type=x", "tcp 6 ", "1e999"])  # fmt: skip


@given(st.lists(st.one_of(_words, st.text(max_size=6)), max_size=12).map("".join))
def test_no_line_whatever_breaks_a_parser(line: str) -> None:
    for parse in (agent.flows, hubble.flows, calico.flows, conntrack.flows):
        try:
            found = list(parse(line))
        except (ValueError, TypeError, OverflowError):
            continue
        assert all(isinstance(flow, Flow) for flow in found)
