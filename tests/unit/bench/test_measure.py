"""How a ratio is taken: alternating, on the same output, with a spread that is told."""

import json

import pytest

from bench import __main__ as command
from bench import measure
from bench.measure import Result, compare, limited, middle, not_measured
from bench.report import write_report

WORDS = ("name", "ours", "peer", "ratio", "spread", "target", "met")


class Stopwatch:
    """Stands in for the clock: every call takes the time that it was given."""

    def __init__(self, monkeypatch):
        self.order = []
        self.now = 0.0
        monkeypatch.setattr(measure.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(measure.gc, "collect", lambda: None)

    def call(self, name, times, value="the same"):
        remaining = list(times)

        def run():
            self.order.append(name)
            self.now += remaining.pop(0) if len(remaining) > 1 else remaining[0]
            return value

        return run


@pytest.fixture
def watch(monkeypatch):
    return Stopwatch(monkeypatch)


def measured(ours, peer, **options):
    given = {"same": lambda a, b: a == b, "target": 2.0, "rounds": 5} | options
    return compare("a row", "a peer", ours, peer, **given)


def test_compare__ours_takes_half_the_time__ratio_two(watch):
    row = measured(watch.call("ours", [1.0]), watch.call("peer", [2.0]))
    assert (row.ours, row.peer, row.ratio, row.spread, row.met) == (1.0, 2.0, 2.0, 0.0, True)


def test_compare__ours_takes_twice_the_time__missed(watch):
    row = measured(watch.call("ours", [2.0]), watch.call("peer", [1.0]))
    assert (row.ratio, row.met) == (0.5, False)


def test_compare__rounds__alternate_who_goes_first(watch):
    measured(watch.call("ours", [1.0]), watch.call("peer", [1.0]), rounds=3)
    assert watch.order == ["ours", "peer", "peer", "ours"] * 2


def test_compare__pieces__alternate_within_a_round_and_are_summed(watch):
    row = measured(watch.call("ours", [1.0]), watch.call("peer", [2.0, 2.0, 2.0, 3.0]), rounds=2, pieces=2)
    assert watch.order[:8] == ["ours", "peer", "peer", "ours", "peer", "ours", "ours", "peer"]
    assert (row.ours, row.peer) == (1.0, 2.75)


def test_compare__first_round__warms_up_and_does_not_count(watch):
    row = measured(watch.call("ours", [50.0, 1.0]), watch.call("peer", [2.0]))
    assert (row.ours, row.ratio, row.spread) == (1.0, 2.0, 0.0)


def test_compare__slow_peer__ours_alone_warms_up_and_every_round_counts(watch):
    ours, peer = watch.call("ours", [9.0, 1.0]), watch.call("peer", [3.0])
    result = compare("row", "peer", ours, peer, same=lambda a, b: a == b, target=2.0, rounds=5, is_slow=True)
    assert (result.ratio, result.spread) == (3.0, 0.0)
    assert watch.order[0] == "ours"
    assert watch.order.count("peer") == 5


@pytest.mark.parametrize(("ours", "met"), [(100.0, True), (100.1, False)])
def test_limited__a_quantity_that_is_no_time(ours, met):
    row = limited("memory", "a limit", ours, 800.0, 8.0)
    assert (row.met, row.unit) == (met, "MB")


def test_report__a_quantity_that_is_no_time__has_its_unit(page):
    write_report([limited("memory", "a limit", 640.0, 1280.0)], is_whole=True)
    assert "| memory | a limit | 640 MB | 1.28e+03 MB | 2 |" in page.read_text()


def test_compare__outputs_differ__not_measured(watch):
    row = measured(watch.call("ours", [1.0], "a"), watch.call("peer", [2.0], "b"))
    assert (row.met, row.ratio, row.note) == ("not measured", None, "outputs differ")


def test_compare__outputs_differ_in_a_later_round__not_measured(watch):
    said = iter("aaab")
    row = measured(lambda: next(said), watch.call("peer", [2.0], "a"))
    assert (row.met, row.ratio) == ("not measured", None)


def test_compare__outputs_differ_in_a_later_piece__not_measured(watch):
    said = iter("aab")
    row = measured(lambda: next(said), watch.call("peer", [2.0], "a"), pieces=3)
    assert (row.met, row.ratio) == ("not measured", None)


def test_compare__wide_spread__not_measured(watch):
    row = measured(watch.call("ours", [1.0]), watch.call("peer", [3.0, 3.0, 9.0, 3.0, 9.0, 6.0]))
    assert row.spread > measure.WIDEST_SPREAD
    assert (row.met, row.note) == ("not measured", "spread above 15%")


def test_compare__spread_just_allowed__measured(watch):
    row = measured(watch.call("ours", [1.0]), watch.call("peer", [3.0, 3.0, 3.1, 3.0, 3.2, 3.1]))
    assert 0 < row.spread <= measure.WIDEST_SPREAD
    assert row.met is True


def test_middle__is_median_and_interquartile_range_over_it():
    assert middle([1.0, 2.0, 3.0, 4.0, 5.0]) == (3.0, 1.0)


def run(monkeypatch, results, *arguments):
    pages = []
    monkeypatch.setattr(command, "import_module", lambda name: Rows(results))
    monkeypatch.setattr(command, "write_report", lambda rows, is_whole: pages.append((rows, is_whole)))
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    return command.main(), pages


class Rows:
    def __init__(self, results):
        self.results = results

    def rows(self, rounds):
        return self.results


def row(met):
    return Result("a row", "a peer", 1.0, 2.0, "s", 2.0, 0.01, 2.0, met)


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([row(True)], 0),
        ([row(True), row(False)], 1),
        ([row(False), not_measured("a row", "a peer", 2.0, "no peer")], 2),
    ],
)
def test_command__worst_row__is_the_exit_status(monkeypatch, results, status):
    assert run(monkeypatch, results, "ledger")[0] == status


def test_command__json__one_line_for_each_row(monkeypatch, capsys):
    run(monkeypatch, [row(True), not_measured("another", "a peer", 2.0, "no peer")], "ledger", "--json")
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert [first[name] for name in WORDS] == ["a row", 1.0, 2.0, 2.0, 0.01, 2.0, True]
    assert (second["met"], second["ratio"], second["target"]) == ("not measured", None, 2.0)


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ((), [True]),
        (("flights",), [False] * 4),
        (("ledger",), [False]),
        (("--rounds", "3"), []),
        (("flights", "--rounds", "3"), []),
    ],
)
def test_command__page__of_all_or_of_what_was_named_with_enough_rounds(monkeypatch, arguments, written):
    assert [is_whole for _rows, is_whole in run(monkeypatch, [row(True)], *arguments)[1]] == written


def test_command__flights__the_four_rows_of_flights_and_no_other(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "import_module", lambda name: asked.append(name) or Rows([row(True)]))
    monkeypatch.setattr(command, "write_report", lambda rows, is_whole: None)
    monkeypatch.setattr("sys.argv", ["bench", "flights"])
    assert command.main() == 0
    assert asked == ["bench.gateway", "bench.zones", "bench.conformance", "bench.ledger"]


@pytest.fixture
def page(monkeypatch, tmp_path):
    monkeypatch.setattr("bench.report.PAGE", tmp_path / "bench.md")
    return tmp_path / "bench.md"


def figures(page):
    """The cells of every row but the last, which names this machine."""
    return [line.split(" | ")[:-1] for line in page.read_text().splitlines() if line.startswith("| ")][1:]


def test_report__whole_run__its_rows_alone(page):
    write_report([not_measured("yesterday", "a peer", 2.0, "no peer")], is_whole=True)
    write_report([row(True), not_measured("another", "a peer", 2.0, "no peer")], is_whole=True)
    assert figures(page) == [
        ["| a row", "a peer", "1", "2", "2", "0.01", "2", "yes"],
        ["| another", "a peer", "–", "–", "–", "–", "2", "not measured"],
    ]
    assert "cores" in page.read_text().splitlines()[-1]


def test_report__some_rows__replace_their_own_and_leave_the_rest_as_it_was(page):
    other = not_measured("another", "a peer", 2.0, "no peer")
    second = not_measured("a row", "a second peer", 2.0, "no peer")
    write_report([row(False), other, second], is_whole=True)
    before = page.read_text().splitlines()
    write_report([row(True), not_measured("new", "a peer", 2.0, "no peer")], is_whole=False)
    after = page.read_text().splitlines()
    assert [line[-1] for line in figures(page)] == ["yes", "not measured", "not measured", "not measured"]
    assert after[-2:-4:-1] == before[-1:-3:-1]
    assert after[-1].startswith("| new | a peer |")


def test_report__some_rows__no_page_or_one_with_other_columns__made_anew(page):
    for old in (None, "# Figures\n\n| Row | Peer |\n|---|---|\n| old | row |\n"):
        if old is not None:
            page.write_text(old)
        write_report([row(True)], is_whole=False)
        assert [line[0] for line in figures(page)] == ["| a row"]


def test_compare__prepare__before_every_piece_and_on_nobodys_clock(watch):
    def prepare():
        watch.order.append("prepare")
        watch.now += 100.0

    row = measured(watch.call("ours", [1.0]), watch.call("peer", [2.0]), rounds=2, pieces=2, prepare=prepare)
    assert watch.order[:6] == ["prepare", "ours", "peer", "prepare", "peer", "ours"]
    assert (row.ours, row.peer) == (1.0, 2.0)
