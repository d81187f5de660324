"""SQLAlchemy mappings of the schema `core`, one module per subject."""

from schemas.tables.base import SCHEMA, SRID, Base, Origin, Stated
from schemas.tables.cells import PublicCell
from schemas.tables.complaints import Complaint, Correction
from schemas.tables.coverage import CoverageCell, CoverageMade
from schemas.tables.desk import Decision, Derivation, LabelWithdrawal
from schemas.tables.devices import Device, DeviceReview, DeviceShare, DeviceSite, Drone, Signage
from schemas.tables.findings import CandidateRecord, Sighting
from schemas.tables.flights import Flight, FlightFrame, TelemetryPoint
from schemas.tables.gateway import FlightEvent, FlightOrder, Gateway
from schemas.tables.grants import DeviceGrant
from schemas.tables.imagery import Derivative, Detection, Scene, SegmentationBand, SegmentationRun
from schemas.tables.learning import Label, LearningJob, ModelVersion
from schemas.tables.papers import AnnualReport, Calibration, Dispatch, Evaluation, Incident, IncidentAnswer, Upkeep
from schemas.tables.patrols import (
    AirspaceClearance,
    AreaChange,
    DeploymentPoint,
    InspectionPlan,
    PatrolArea,
    PatrolRoute,
)
from schemas.tables.people import LoginAttempt, Person, Qualification, RoleAssignment, WebSession
from schemas.tables.places import (
    Authority,
    BaseFeature,
    ContextFeature,
    ImportBatch,
    Installation,
    LegalBasis,
    SupervisedEntity,
    SupervisionItem,
)
from schemas.tables.proofs import Checkpoint, Witnessed, Witnessing
from schemas.tables.proposals import ChangeProposal
from schemas.tables.publication import Announcement, Publication
from schemas.tables.relay import RelayCredential
from schemas.tables.releases import Release, ReleaseFind, ReleaseZone
from schemas.tables.shown import PublicBatch, PublicChange, PublicSpan, PublicTouch, PublicTurn, Shown
from schemas.tables.signing import AircraftSigning
from schemas.tables.siting import Attachment, OverlaySwitch, PlannedSite, SitingPlan
from schemas.tables.studies import CoverageStudy, KeptView, SitingRun, StudyDevice, StudyShape
from schemas.tables.subscriptions import Mail, Subscription
from schemas.tables.things import (
    Datastream,
    DeviceReference,
    DeviceToken,
    Exceedance,
    FeatureOfInterest,
    FormerSite,
    GivenView,
    Heartbeat,
    LateReading,
    Observation,
    ObservedProperty,
    ReadingCursor,
    RequiredView,
    Sensor,
)
from schemas.tables.verdicts import FlightVerdict
from schemas.tables.volumes import FlightVolume
from schemas.tables.zones import PrivacyZone, ZoneRequest, ZoneTouch

__all__ = [
    "SCHEMA",
    "SRID",
    "AircraftSigning",
    "AirspaceClearance",
    "Announcement",
    "AnnualReport",
    "AreaChange",
    "Attachment",
    "Authority",
    "Base",
    "BaseFeature",
    "Calibration",
    "CandidateRecord",
    "ChangeProposal",
    "Checkpoint",
    "Complaint",
    "ContextFeature",
    "Correction",
    "CoverageCell",
    "CoverageMade",
    "CoverageStudy",
    "Datastream",
    "Decision",
    "DeploymentPoint",
    "Derivation",
    "Derivative",
    "Detection",
    "Device",
    "DeviceGrant",
    "DeviceReference",
    "DeviceReview",
    "DeviceShare",
    "DeviceSite",
    "DeviceToken",
    "Dispatch",
    "Drone",
    "Evaluation",
    "Exceedance",
    "FeatureOfInterest",
    "Flight",
    "FlightEvent",
    "FlightFrame",
    "FlightOrder",
    "FlightVerdict",
    "FlightVolume",
    "FormerSite",
    "Gateway",
    "GivenView",
    "Heartbeat",
    "ImportBatch",
    "Incident",
    "IncidentAnswer",
    "InspectionPlan",
    "Installation",
    "KeptView",
    "Label",
    "LabelWithdrawal",
    "LateReading",
    "LearningJob",
    "LegalBasis",
    "LoginAttempt",
    "Mail",
    "ModelVersion",
    "Observation",
    "ObservedProperty",
    "Origin",
    "OverlaySwitch",
    "PatrolArea",
    "PatrolRoute",
    "Person",
    "PlannedSite",
    "PrivacyZone",
    "PublicBatch",
    "PublicCell",
    "PublicChange",
    "PublicSpan",
    "PublicTouch",
    "PublicTurn",
    "Publication",
    "Qualification",
    "ReadingCursor",
    "RelayCredential",
    "Release",
    "ReleaseFind",
    "ReleaseZone",
    "RequiredView",
    "RoleAssignment",
    "Scene",
    "SegmentationBand",
    "SegmentationRun",
    "Sensor",
    "Shown",
    "Sighting",
    "Signage",
    "SitingPlan",
    "SitingRun",
    "Stated",
    "StudyDevice",
    "StudyShape",
    "Subscription",
    "SupervisedEntity",
    "SupervisionItem",
    "TelemetryPoint",
    "Upkeep",
    "WebSession",
    "Witnessed",
    "Witnessing",
    "ZoneRequest",
    "ZoneTouch",
]
