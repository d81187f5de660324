"""The bench of the conformance engine measures the same work: both sides say the same, and a difference shows."""

from bench import conformance


def test_rows__few_positions__engine_and_peer_agree():
    case = conformance._case(20_000)
    ours, theirs = conformance._ours(case), conformance._theirs(case)
    assert conformance._same(ours, theirs)
    assert (ours[1] > conformance.TOLERANCE_M).any()
    assert not conformance._same((ours[0] + 0.002, ours[1]), theirs)
