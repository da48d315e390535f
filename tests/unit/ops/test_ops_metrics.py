"""Prometheus' text format."""

from hermes.ops.metrics import Family, Tallies, render
from hermes.ops.usage import usage


def test_each_family_has_its_help_and_type_once_and_what_is_unknown_is_left_out() -> None:
    text = render(
        [
            Family("a_total", "counter", "Of a.", [({"kind": "x"}, 2), ({"kind": "y"}, None)]),
            Family("b", "gauge", "Of b.", [({}, None)]),
            Family("c", "gauge", "Of c.", [({}, 0.5)]),
        ]
    )

    assert text == (
        '# HELP a_total Of a.\n# TYPE a_total counter\na_total{kind="x"} 2\n# HELP c Of c.\n# TYPE c gauge\nc 0.5\n'
    )


def test_a_label_cannot_break_out_of_its_quotes() -> None:
    text = render([Family("a", "gauge", "Back\\slash\nline", [({"account": 'x"} 1\n\\'}, 1)])])

    assert text.splitlines()[0] == "# HELP a Back\\\\slash\\nline"
    assert text.splitlines()[2] == 'a{account="x\\"} 1\\n\\\\"} 1'


def test_a_histogram_counts_what_is_at_most_its_bound() -> None:
    tallies = Tallies(0.1, 1, 10)
    for value in (0.05, 0.1, 0.5, 99):
        tallies.add(value)

    lines = render([Family("s", "histogram", "How long.", [({}, tallies.seen())])]).splitlines()[2:]

    assert lines == [
        's_bucket{le="0.1"} 2',
        's_bucket{le="1"} 3',
        's_bucket{le="10"} 3',
        's_bucket{le="+Inf"} 4',
        "s_sum 99.65",
        "s_count 4",
    ]


def test_usage_is_this_process() -> None:
    with open("/dev/null"):
        before = usage()
        with open("/dev/null"):
            assert usage().open_files == before.open_files + 1
    assert before.resident > 1_000_000
    assert before.most_files >= before.open_files
