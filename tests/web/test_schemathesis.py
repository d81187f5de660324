"""What the documents say is thrown at the services, well-formed and not: nothing is 5xx, and nothing is unsaid."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    *(not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance),
    negative_data_rejection,
]
GOOD, BAD = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE


@pytest.mark.parametrize(
    ("document", "mode", "examples"), [("/openapi.json", GOOD, 3), ("/openapi.json", BAD, 6), ("/ogc/openapi", GOOD, 1)]
)
def test_operations__of_a_document__answer_as_it_says(shared_app, document, mode, examples):
    schema = schemathesis.openapi.from_wsgi(document, shared_app)
    operations = [operation.ok() for operation in schema.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:
        # Where nothing is asked, nothing can be asked wrongly.
        if mode is BAD and not list(operation.iter_parameters()):
            continue
        hold(operation.as_strategy(generation_mode=mode), examples)


def hold(cases, examples):
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def answers_as_it_says(case):
        # Its own reader unpacks nothing in the process; how answers are packed is tests/web/test_packing.py.
        case.call_and_validate(checks=CHECKS, headers={"Accept-Encoding": "identity"})

    answers_as_it_says()
