"""The application: `create_app(services)` puts errors, edge, languages, identity and pages together."""

from __future__ import annotations

from web import assets, errors, i18n, packing, page, permissions, rates, security, waiting
from web.account.views import section as account
from web.asking.feeds import section as feeds
from web.asking.subscribing import section as subscribing
from web.asking.views import section as asking
from web.asking.zones import section as zone_asking
from web.complaints.views import complaints_wait
from web.complaints.views import section as complaints
from web.desk.editing import section as desk_editing
from web.desk.exports import section as desk_exports
from web.desk.private import section as desk_private
from web.desk.sheet import section as desk_sheet
from web.desk.tiles import section as desk_tiles
from web.desk.views import section as desk
from web.desk.waiting import waiting as findings_waiting
from web.identity import request_identity
from web.models.asking import section as models_asking
from web.models.labelling import section as models_labelling
from web.models.views import section as models
from web.models.waiting import waiting as models_waiting
from web.opendata import cors
from web.opendata.downloads import section as data
from web.opendata.ogc import section as ogc
from web.opendata.openapi import section as openapi
from web.opendata.tilejson import section as tilejson
from web.permissions import GuardedFlask
from web.pilot.live import section as flights_live
from web.pilot.packages import section as flight_packages
from web.pilot.papers import section as flight_papers
from web.pilot.survey import section as survey
from web.pilot.views import section as pilot
from web.pilot.waiting import waiting as flights_waiting
from web.planner.comparing import section as planner_comparing
from web.planner.coordinating import section as planner_coordinating
from web.planner.coverage import section as planner_coverage
from web.planner.coverage_exports import section as planner_coverage_exports
from web.planner.coverage_map import section as planner_coverage_map
from web.planner.coverage_new import section as planner_coverage_new
from web.planner.coverage_report import section as planner_coverage_report
from web.planner.coverage_what_if import section as planner_coverage_what_if
from web.planner.devices import section as planner_devices
from web.planner.places import section as planner_places
from web.planner.plans import section as planner_plans
from web.planner.siting_runs import section as planner_siting_runs
from web.planner.uses import section as planner_uses
from web.planner.views import section as planner
from web.planner.waiting import waiting as drafts_waiting
from web.proofs.views import section as proofs
from web.public.basemap import read_basemap
from web.public.basemap import section as basemap_files
from web.public.embed import section as embed
from web.public.figures import section as figures
from web.public.flights import section as flight_log
from web.public.history import section as history
from web.public.printing import section as printing
from web.public.search import section as search
from web.public.tiles import section as tiles
from web.public.views import section as public
from web.registry.announcing import section as registry_announcing
from web.registry.contact import section as registry_contact
from web.registry.device import section as registry_device
from web.registry.duties import section as registry_duties
from web.registry.listing import section as registry
from web.registry.rules import section as registry_rules
from web.registry.uses import section as registry_uses
from web.registry.waits import registry_waits
from web.reviews.decisions import section as review_decisions
from web.reviews.sheets import section as review_sheets
from web.reviews.views import section as reviews
from web.reviews.waiting import waiting as reviews_waiting
from web.things.beats import section as beats
from web.things.health import health_waits
from web.things.health import section as health
from web.things.views import section as things
from web.wiring import Services
from web.zones.ending import section as zone_ending
from web.zones.register import section as zone_register
from web.zones.views import section as zones
from web.zones.views import zone_waits

SECTIONS = (
    *(public, tiles, data, ogc, openapi, tilejson, flight_log, account),
    *(basemap_files, embed, history, printing, search),
    *(asking, zone_asking, subscribing, feeds, complaints),
    *(proofs, figures),
    *(pilot, flights_live, flight_packages, flight_papers, survey),
    *(desk, desk_tiles, desk_editing, desk_exports, desk_private, desk_sheet),
    *(models, models_labelling, models_asking),
    *(registry, registry_device, registry_announcing, registry_duties, registry_rules, registry_uses, registry_contact),
    *(zones, zone_ending, zone_register),
    *(planner, planner_plans, planner_devices, planner_places, planner_uses),
    *(planner_coverage, planner_coverage_new, planner_coverage_map, planner_coverage_what_if, planner_coverage_exports),
    *(planner_coverage_report, planner_comparing, planner_coordinating, planner_siting_runs),
    *(reviews, review_sheets, review_decisions),
    *(things, beats, health),
)
# What waits for the reader, as each desk tells it (web/waiting.py).
WAITING = (
    *(registry_waits, zone_waits, complaints_wait, health_waits),
    *(flights_waiting, findings_waiting, models_waiting, drafts_waiting, reviews_waiting),
)


def create_app(services: Services) -> GuardedFlask:
    """The web application on `services`; nothing is opened before the first request."""
    app = GuardedFlask(__name__)
    app.extensions["services"] = services
    hosts = tuple(host.strip().lower() for host in services.settings.trusted_hosts.split(",") if host.strip())
    packing.register(app)
    errors.register(app)
    basemap = read_basemap(services.settings.basemap)
    app.extensions["basemap"] = basemap
    security.register(
        app, security.Edge(hosts, services.settings.behind_tls_proxy, basemap.origin if basemap else None)
    )
    cors.register(app)
    i18n.register(app)
    rates.register(app)
    request_identity.register(app)
    app.before_request(lambda: permissions.enforce(app))
    app.before_request(security.check_form)
    assets.register(app)
    page.register(app)
    waiting.register(app, WAITING)
    for section in SECTIONS:
        app.register_blueprint(section)
    return app
