"""No route can forget its permission (promise P32)."""

import pytest
from flask import request

from web.permissions import Audience, GuardedFlask, Permission, Section, UndeclaredRoute, enforce


def app_with(section):
    app = GuardedFlask("probe")
    app.register_blueprint(section)
    return app


def test_route__without_declaration__refuses_registration():
    app = GuardedFlask("probe")
    with pytest.raises(UndeclaredRoute, match="/naked"):
        app.add_url_rule("/naked", "naked", lambda: "")


def test_route__decorator_of_flask__refuses_registration():
    app = GuardedFlask("probe")
    with pytest.raises(UndeclaredRoute):
        app.get("/naked")(lambda: "")


def test_blueprint_route__without_declaration__refuses_registration():
    section = Section("s", __name__, Audience.PUBLIC)
    section.get("/naked")(lambda: "")
    with pytest.raises(UndeclaredRoute):
        app_with(section)


def test_route__method_beyond_the_declared__refuses_registration():
    section = Section("s", __name__, Audience.PUBLIC)

    @section.page("/x", GET=Permission.BROWSE)
    def view():
        return ""

    section.add_url_rule("/x", "again", view, methods=["GET", "POST"])
    with pytest.raises(UndeclaredRoute):
        app_with(section)


def test_page__without_any_method__refuses_registration():
    with pytest.raises(UndeclaredRoute):
        Section("s", __name__, Audience.PUBLIC).page("/x")


@pytest.mark.parametrize(
    ("rule", "audience"),
    [("/pilot/x", Audience.PUBLIC), ("/review", Audience.PILOT), ("/list", Audience.DESK), ("/", Audience.PILOT)],
)
def test_route__in_a_branch_of_another_audience__refuses_registration(rule, audience):
    section = Section("s", __name__, audience)
    section.page(rule, GET=Permission.BROWSE)(lambda: "")
    with pytest.raises(UndeclaredRoute, match="another audience"):
        app_with(section)


def test_route__with_declaration__is_registered_and_takes_no_other_method():
    section = Section("s", __name__, Audience.PUBLIC)

    @section.page("/x", GET=Permission.BROWSE)
    def view():
        return "here"

    app = app_with(section)
    assert app.needs["/x", "s.view"].methods == {"GET": Permission.BROWSE}
    assert app.test_client().get("/x").data == b"here"
    assert app.test_client().delete("/x").status_code == 405
    assert app.test_client().options("/x").status_code == 405


def test_head__view_that_tells_get_from_post__answers_as_a_get_and_does_nothing():
    section = Section("s", __name__, Audience.PUBLIC)
    done = []

    @section.page("/x", rate=None, GET=Permission.BROWSE, POST=Permission.ASK)
    def view():
        if request.method == "GET":
            return "a form"
        done.append(request.form)
        return "taken", 201

    app = app_with(section)
    app.before_request(lambda: enforce(app))
    answer = app.test_client().head("/x", data={"said": "in the body of a HEAD"})
    assert (answer.status_code, answer.data, answer.content_length, done) == (200, b"", len("a form"), [])
