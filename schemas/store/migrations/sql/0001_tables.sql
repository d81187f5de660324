-- The tables of the schema core as schemas/tables/ maps them; a test holds the two together.
-- Spatial indexes carry the prefix gist_.

CREATE TABLE core.announcement (
    subject_kind TEXT NOT NULL,
    subject_id UUID NOT NULL,
    kind TEXT NOT NULL,
    announced_at TIMESTAMP WITH TIME ZONE NOT NULL,
    text_en TEXT NOT NULL,
    text_zh TEXT NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_announcement PRIMARY KEY (id),
    CONSTRAINT uq_announcement_public_id UNIQUE (public_id)
);

CREATE TABLE core.authority (
    code TEXT NOT NULL,
    name_en TEXT NOT NULL,
    name_zh TEXT NOT NULL,
    level TEXT NOT NULL,
    authority_type TEXT NOT NULL,
    field TEXT NOT NULL,
    parent_id UUID,
    jurisdiction geometry(MULTIPOLYGON,4326) NOT NULL,
    contact_address TEXT NOT NULL,
    contact_channel TEXT NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_authority PRIMARY KEY (id),
    CONSTRAINT uq_authority_code UNIQUE (code),
    CONSTRAINT fk_authority_parent_id_authority FOREIGN KEY(parent_id) REFERENCES core.authority (id),
    CONSTRAINT uq_authority_public_id UNIQUE (public_id)
);
CREATE INDEX gist_authority_jurisdiction ON core.authority USING gist (jurisdiction);

CREATE TABLE core.base_feature (
    kind TEXT NOT NULL,
    rank INTEGER NOT NULL,
    name_en TEXT,
    name_zh TEXT,
    geom geometry(GEOMETRY,4326) NOT NULL,
    geom_3857 geometry(GEOMETRY,3857) GENERATED ALWAYS AS (ST_Transform(geom, 3857)) STORED,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_base_feature PRIMARY KEY (id),
    CONSTRAINT uq_base_feature_public_id UNIQUE (public_id)
);
CREATE INDEX ix_base_feature_kind ON core.base_feature (kind);
CREATE INDEX gist_base_feature_geom ON core.base_feature USING gist (geom);
CREATE INDEX gist_base_feature_geom_3857 ON core.base_feature USING gist (geom_3857);

CREATE TABLE core.import_batch (
    layer TEXT NOT NULL,
    file_name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    rows_imported INTEGER NOT NULL,
    rows_refused INTEGER NOT NULL,
    crs TEXT NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_import_batch PRIMARY KEY (id),
    CONSTRAINT uq_import_batch_public_id UNIQUE (public_id)
);

CREATE TABLE core.installation (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_installation PRIMARY KEY (key)
);

CREATE TABLE core.legal_basis (
    code TEXT NOT NULL,
    title_en TEXT NOT NULL,
    title_zh TEXT NOT NULL,
    article TEXT NOT NULL,
    level TEXT NOT NULL,
    allows_sole_device_evidence BOOLEAN NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_legal_basis PRIMARY KEY (id),
    CONSTRAINT uq_legal_basis_code UNIQUE (code),
    CONSTRAINT uq_legal_basis_public_id UNIQUE (public_id)
);

CREATE TABLE core.login_attempt (
    id UUID NOT NULL,
    bucket TEXT NOT NULL,
    attempted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_login_attempt PRIMARY KEY (id)
);
CREATE INDEX ix_login_attempt_bucket ON core.login_attempt (bucket);

CREATE TABLE core.privacy_zone (
    kind TEXT NOT NULL,
    name_en TEXT NOT NULL,
    name_zh TEXT NOT NULL,
    geom geometry(POLYGON,4326) NOT NULL,
    geom_3857 geometry(POLYGON,3857) GENERATED ALWAYS AS (ST_Transform(geom, 3857)) STORED,
    exact_geom geometry(POLYGON,4326),
    sensitive BOOLEAN NOT NULL,
    buffer_m DOUBLE PRECISION NOT NULL,
    source TEXT NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    zone_version INTEGER NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_privacy_zone PRIMARY KEY (id),
    CONSTRAINT uq_privacy_zone_public_id UNIQUE (public_id)
);
CREATE INDEX gist_privacy_zone_geom ON core.privacy_zone USING gist (geom);
CREATE INDEX gist_privacy_zone_geom_3857 ON core.privacy_zone USING gist (geom_3857);
CREATE INDEX gist_privacy_zone_exact_geom ON core.privacy_zone USING gist (exact_geom);
CREATE INDEX ix_privacy_zone_buffer_m ON core.privacy_zone (buffer_m);

CREATE TABLE core.publication (
    subject_kind TEXT NOT NULL,
    subject_id UUID NOT NULL,
    round_no INTEGER NOT NULL,
    channel TEXT NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    published_on DATE NOT NULL,
    lead_days INTEGER NOT NULL,
    earliest_activation DATE GENERATED ALWAYS AS (published_on + lead_days) STORED NOT NULL,
    receipt_id TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_publication PRIMARY KEY (id),
    CONSTRAINT uq_publication_public_id UNIQUE (public_id)
);
CREATE INDEX ix_publication_subject ON core.publication (subject_kind, subject_id);

CREATE TABLE core.airspace_clearance (
    kind TEXT NOT NULL,
    number TEXT NOT NULL,
    issuing_body TEXT NOT NULL,
    authority_id UUID NOT NULL,
    geom geometry(POLYGON,4326) NOT NULL,
    alt_max_agl_m DOUBLE PRECISION NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_airspace_clearance PRIMARY KEY (id),
    CONSTRAINT fk_airspace_clearance_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT uq_airspace_clearance_public_id UNIQUE (public_id)
);
CREATE INDEX gist_airspace_clearance_geom ON core.airspace_clearance USING gist (geom);

CREATE TABLE core.context_feature (
    layer TEXT NOT NULL,
    name TEXT NOT NULL,
    number TEXT,
    kind TEXT,
    holder TEXT,
    valid_from DATE,
    valid_to DATE,
    attributes JSONB NOT NULL,
    geom geometry(GEOMETRY,4326) NOT NULL,
    import_id UUID,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_context_feature PRIMARY KEY (id),
    CONSTRAINT fk_context_feature_import_id_import_batch FOREIGN KEY(import_id) REFERENCES core.import_batch (id),
    CONSTRAINT uq_context_feature_public_id UNIQUE (public_id)
);
CREATE INDEX ix_context_feature_layer ON core.context_feature (layer);
CREATE INDEX gist_context_feature_geom ON core.context_feature USING gist (geom);

CREATE TABLE core.person (
    code TEXT NOT NULL,
    name_en TEXT NOT NULL,
    name_zh TEXT NOT NULL,
    authority_id UUID NOT NULL,
    password_hash TEXT,
    disabled_at TIMESTAMP WITH TIME ZONE,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_person PRIMARY KEY (id),
    CONSTRAINT uq_person_code UNIQUE (code),
    CONSTRAINT fk_person_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT uq_person_public_id UNIQUE (public_id)
);

CREATE TABLE core.siting_plan (
    plan_version INTEGER NOT NULL,
    authority_id UUID NOT NULL,
    approval_no TEXT,
    approved_on DATE,
    approver_authority_id UUID,
    revoked_on DATE,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_siting_plan PRIMARY KEY (id),
    CONSTRAINT fk_siting_plan_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_siting_plan_approver_authority_id_authority FOREIGN KEY(approver_authority_id) REFERENCES core.authority (id),
    CONSTRAINT uq_siting_plan_public_id UNIQUE (public_id)
);

CREATE TABLE core.supervised_entity (
    registration_code TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    geom geometry(GEOMETRY,4326) NOT NULL,
    import_id UUID,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_supervised_entity PRIMARY KEY (id),
    CONSTRAINT uq_supervised_entity_registration_code UNIQUE (registration_code),
    CONSTRAINT fk_supervised_entity_import_id_import_batch FOREIGN KEY(import_id) REFERENCES core.import_batch (id),
    CONSTRAINT uq_supervised_entity_public_id UNIQUE (public_id)
);
CREATE INDEX gist_supervised_entity_geom ON core.supervised_entity USING gist (geom);

CREATE TABLE core.supervision_item (
    code TEXT NOT NULL,
    name_en TEXT NOT NULL,
    name_zh TEXT NOT NULL,
    legal_basis_id UUID NOT NULL,
    offsite_allowed BOOLEAN NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_supervision_item PRIMARY KEY (id),
    CONSTRAINT uq_supervision_item_code UNIQUE (code),
    CONSTRAINT fk_supervision_item_legal_basis_id_legal_basis FOREIGN KEY(legal_basis_id) REFERENCES core.legal_basis (id),
    CONSTRAINT uq_supervision_item_public_id UNIQUE (public_id)
);

CREATE TABLE core.device_site (
    geom geometry(POINT,4326) NOT NULL,
    geom_3857 geometry(POINT,3857) GENERATED ALWAYS AS (ST_Transform(geom, 3857)) STORED,
    place_text TEXT NOT NULL,
    place_type TEXT NOT NULL,
    indoor BOOLEAN NOT NULL,
    siting_plan_id UUID,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_device_site PRIMARY KEY (id),
    CONSTRAINT fk_device_site_siting_plan_id_siting_plan FOREIGN KEY(siting_plan_id) REFERENCES core.siting_plan (id),
    CONSTRAINT uq_device_site_public_id UNIQUE (public_id)
);
CREATE INDEX gist_device_site_geom ON core.device_site USING gist (geom);
CREATE INDEX gist_device_site_geom_3857 ON core.device_site USING gist (geom_3857);

CREATE TABLE core.inspection_plan (
    number TEXT NOT NULL,
    title_en TEXT NOT NULL,
    title_zh TEXT NOT NULL,
    authority_id UUID NOT NULL,
    item_id UUID,
    area_ids JSONB NOT NULL,
    entity_ids JSONB NOT NULL,
    author_id UUID NOT NULL,
    approver_id UUID,
    approved_at TIMESTAMP WITH TIME ZONE,
    valid_from DATE NOT NULL,
    valid_to DATE NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_inspection_plan PRIMARY KEY (id),
    CONSTRAINT uq_inspection_plan_number UNIQUE (number),
    CONSTRAINT fk_inspection_plan_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_inspection_plan_item_id_supervision_item FOREIGN KEY(item_id) REFERENCES core.supervision_item (id),
    CONSTRAINT fk_inspection_plan_author_id_person FOREIGN KEY(author_id) REFERENCES core.person (id),
    CONSTRAINT fk_inspection_plan_approver_id_person FOREIGN KEY(approver_id) REFERENCES core.person (id),
    CONSTRAINT uq_inspection_plan_public_id UNIQUE (public_id)
);

CREATE TABLE core.patrol_area (
    code TEXT NOT NULL,
    name_en TEXT NOT NULL,
    name_zh TEXT NOT NULL,
    purpose_en TEXT NOT NULL,
    purpose_zh TEXT NOT NULL,
    authority_id UUID NOT NULL,
    author_id UUID,
    item_id UUID,
    siting_plan_id UUID,
    geom geometry(POLYGON,4326) NOT NULL,
    geom_3857 geometry(POLYGON,3857) GENERATED ALWAYS AS (ST_Transform(geom, 3857)) STORED,
    alt_min_agl_m DOUBLE PRECISION NOT NULL,
    alt_max_agl_m DOUBLE PRECISION NOT NULL,
    effective_from DATE,
    suspended_on DATE,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_patrol_area PRIMARY KEY (id),
    CONSTRAINT uq_patrol_area_code UNIQUE (code),
    CONSTRAINT fk_patrol_area_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_patrol_area_author_id_person FOREIGN KEY(author_id) REFERENCES core.person (id),
    CONSTRAINT fk_patrol_area_item_id_supervision_item FOREIGN KEY(item_id) REFERENCES core.supervision_item (id),
    CONSTRAINT fk_patrol_area_siting_plan_id_siting_plan FOREIGN KEY(siting_plan_id) REFERENCES core.siting_plan (id),
    CONSTRAINT uq_patrol_area_public_id UNIQUE (public_id)
);
CREATE INDEX gist_patrol_area_geom ON core.patrol_area USING gist (geom);
CREATE INDEX gist_patrol_area_geom_3857 ON core.patrol_area USING gist (geom_3857);

CREATE TABLE core.qualification (
    person_id UUID NOT NULL,
    kind TEXT NOT NULL,
    certificate_no TEXT NOT NULL,
    field TEXT NOT NULL,
    authority_id UUID NOT NULL,
    valid_from DATE NOT NULL,
    valid_to DATE NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_qualification PRIMARY KEY (id),
    CONSTRAINT fk_qualification_person_id_person FOREIGN KEY(person_id) REFERENCES core.person (id),
    CONSTRAINT fk_qualification_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT uq_qualification_public_id UNIQUE (public_id)
);
CREATE INDEX ix_qualification_person_id ON core.qualification (person_id);

CREATE TABLE core.role_assignment (
    person_id UUID NOT NULL,
    role TEXT NOT NULL,
    authority_id UUID NOT NULL,
    valid_from DATE NOT NULL,
    valid_to DATE,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_role_assignment PRIMARY KEY (id),
    CONSTRAINT fk_role_assignment_person_id_person FOREIGN KEY(person_id) REFERENCES core.person (id),
    CONSTRAINT fk_role_assignment_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT uq_role_assignment_public_id UNIQUE (public_id)
);
CREATE INDEX ix_role_assignment_person_id ON core.role_assignment (person_id);

CREATE TABLE core.web_session (
    id_hash TEXT NOT NULL,
    person_id UUID,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    data JSONB NOT NULL,
    CONSTRAINT pk_web_session PRIMARY KEY (id_hash),
    CONSTRAINT fk_web_session_person_id_person FOREIGN KEY(person_id) REFERENCES core.person (id)
);
CREATE INDEX ix_web_session_person_id ON core.web_session (person_id);

CREATE TABLE core.device (
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    category TEXT NOT NULL,
    device_type TEXT NOT NULL,
    purpose_en TEXT NOT NULL,
    purpose_zh TEXT NOT NULL,
    authority_id UUID NOT NULL,
    item_id UUID,
    site_id UUID NOT NULL,
    owner_type TEXT NOT NULL,
    model TEXT,
    serial_no TEXT,
    quality_certificate_no TEXT,
    is_measuring_instrument BOOLEAN NOT NULL,
    calibration_valid_to DATE,
    sector_azimuth_deg DOUBLE PRECISION,
    hfov_deg DOUBLE PRECISION,
    range_m DOUBLE PRECISION,
    secret BOOLEAN NOT NULL,
    secret_document TEXT,
    activated_on DATE,
    discontinued_on DATE,
    state_reason TEXT,
    state_since TIMESTAMP WITH TIME ZONE,
    pause_ends_on DATE,
    active_sha256 TEXT,
    import_id UUID,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_device PRIMARY KEY (id),
    CONSTRAINT fk_device_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_device_item_id_supervision_item FOREIGN KEY(item_id) REFERENCES core.supervision_item (id),
    CONSTRAINT fk_device_site_id_device_site FOREIGN KEY(site_id) REFERENCES core.device_site (id),
    CONSTRAINT fk_device_import_id_import_batch FOREIGN KEY(import_id) REFERENCES core.import_batch (id),
    CONSTRAINT uq_device_public_id UNIQUE (public_id)
);
CREATE INDEX ix_device_site_id ON core.device (site_id);

CREATE TABLE core.patrol_route (
    code TEXT NOT NULL,
    name_en TEXT NOT NULL,
    name_zh TEXT NOT NULL,
    area_id UUID NOT NULL,
    authority_id UUID NOT NULL,
    author_id UUID,
    route_version INTEGER NOT NULL,
    geom geometry(LINESTRING,4326) NOT NULL,
    geom_3857 geometry(LINESTRING,3857) GENERATED ALWAYS AS (ST_Transform(geom, 3857)) STORED,
    alt_agl_m DOUBLE PRECISION NOT NULL,
    camera_hfov_deg DOUBLE PRECISION NOT NULL,
    home geometry(POINT,4326) NOT NULL,
    home_amsl_m DOUBLE PRECISION NOT NULL,
    speed_m_s DOUBLE PRECISION NOT NULL,
    trigger_distance_m DOUBLE PRECISION NOT NULL,
    mission JSONB NOT NULL,
    mission_digest TEXT NOT NULL,
    effective_from DATE,
    suspended_on DATE,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_patrol_route PRIMARY KEY (id),
    CONSTRAINT uq_patrol_route_code UNIQUE (code),
    CONSTRAINT fk_patrol_route_area_id_patrol_area FOREIGN KEY(area_id) REFERENCES core.patrol_area (id),
    CONSTRAINT fk_patrol_route_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_patrol_route_author_id_person FOREIGN KEY(author_id) REFERENCES core.person (id),
    CONSTRAINT uq_patrol_route_public_id UNIQUE (public_id)
);
CREATE INDEX gist_patrol_route_geom ON core.patrol_route USING gist (geom);
CREATE INDEX gist_patrol_route_geom_3857 ON core.patrol_route USING gist (geom_3857);
CREATE INDEX gist_patrol_route_home ON core.patrol_route USING gist (home);

CREATE TABLE core.device_review (
    device_id UUID NOT NULL,
    kind TEXT NOT NULL,
    reviewer_id UUID NOT NULL,
    passed BOOLEAN NOT NULL,
    items JSONB NOT NULL,
    reviewed_on DATE NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_device_review PRIMARY KEY (id),
    CONSTRAINT fk_device_review_device_id_device FOREIGN KEY(device_id) REFERENCES core.device (id),
    CONSTRAINT fk_device_review_reviewer_id_person FOREIGN KEY(reviewer_id) REFERENCES core.person (id),
    CONSTRAINT uq_device_review_public_id UNIQUE (public_id)
);
CREATE INDEX ix_device_review_device_id ON core.device_review (device_id);

CREATE TABLE core.drone (
    device_id UUID NOT NULL,
    registration_no TEXT NOT NULL,
    mavlink_system_id INTEGER NOT NULL,
    camera_hfov_deg DOUBLE PRECISION NOT NULL,
    camera_image_width_px INTEGER NOT NULL,
    camera_image_height_px INTEGER NOT NULL,
    cruise_speed_m_s DOUBLE PRECISION NOT NULL,
    default_alt_agl_m DOUBLE PRECISION NOT NULL,
    max_takeoff_mass_kg DOUBLE PRECISION NOT NULL,
    CONSTRAINT pk_drone PRIMARY KEY (device_id),
    CONSTRAINT fk_drone_device_id_device FOREIGN KEY(device_id) REFERENCES core.device (id),
    CONSTRAINT uq_drone_registration_no UNIQUE (registration_no)
);

CREATE TABLE core.signage (
    device_id UUID NOT NULL,
    text TEXT NOT NULL,
    photo_sha256 TEXT,
    verified_on DATE NOT NULL,
    verified_by UUID,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_signage PRIMARY KEY (id),
    CONSTRAINT fk_signage_device_id_device FOREIGN KEY(device_id) REFERENCES core.device (id),
    CONSTRAINT fk_signage_verified_by_person FOREIGN KEY(verified_by) REFERENCES core.person (id),
    CONSTRAINT uq_signage_public_id UNIQUE (public_id)
);
CREATE INDEX ix_signage_device_id ON core.signage (device_id);

CREATE TABLE core.flight (
    authority_id UUID NOT NULL,
    inspection_plan_id UUID NOT NULL,
    route_id UUID NOT NULL,
    route_version INTEGER NOT NULL,
    drone_id UUID NOT NULL,
    pilot_id UUID NOT NULL,
    during TSTZRANGE NOT NULL,
    precheck JSONB NOT NULL,
    plan_name TEXT NOT NULL,
    plan_bytes BYTEA NOT NULL,
    plan_digest TEXT NOT NULL,
    mission_digest TEXT NOT NULL,
    vehicle_mission_digest TEXT,
    vehicle_fence_digest TEXT,
    airborne_at TIMESTAMP WITH TIME ZONE,
    landed_at TIMESTAMP WITH TIME ZONE,
    flown_track geometry(LINESTRING,4326),
    deviation_lateral_m DOUBLE PRECISION,
    deviation_vertical_m DOUBLE PRECISION,
    stayed_inside BOOLEAN,
    deviation_note TEXT,
    vehicle JSONB NOT NULL,
    tlog_sha256 TEXT,
    state_reason TEXT,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_flight PRIMARY KEY (id),
    CONSTRAINT fk_flight_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_flight_inspection_plan_id_inspection_plan FOREIGN KEY(inspection_plan_id) REFERENCES core.inspection_plan (id),
    CONSTRAINT fk_flight_route_id_patrol_route FOREIGN KEY(route_id) REFERENCES core.patrol_route (id),
    CONSTRAINT fk_flight_drone_id_drone FOREIGN KEY(drone_id) REFERENCES core.drone (device_id),
    CONSTRAINT fk_flight_pilot_id_person FOREIGN KEY(pilot_id) REFERENCES core.person (id),
    CONSTRAINT uq_flight_public_id UNIQUE (public_id)
);
CREATE INDEX gist_flight_flown_track ON core.flight USING gist (flown_track);

CREATE TABLE core.flight_frame (
    flight_id UUID NOT NULL,
    sha256 TEXT NOT NULL,
    file_name TEXT NOT NULL,
    captured_at TIMESTAMP WITH TIME ZONE NOT NULL,
    geom geometry(POINT,4326) NOT NULL,
    alt_agl_m DOUBLE PRECISION,
    heading_deg DOUBLE PRECISION,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_flight_frame PRIMARY KEY (id),
    CONSTRAINT fk_flight_frame_flight_id_flight FOREIGN KEY(flight_id) REFERENCES core.flight (id),
    CONSTRAINT uq_flight_frame_sha256 UNIQUE (sha256),
    CONSTRAINT uq_flight_frame_public_id UNIQUE (public_id)
);
CREATE INDEX ix_flight_frame_flight_id ON core.flight_frame (flight_id);
CREATE INDEX gist_flight_frame_geom ON core.flight_frame USING gist (geom);

CREATE TABLE core.scene (
    sha256 TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    file_name TEXT NOT NULL,
    sensor TEXT NOT NULL,
    authority_id UUID,
    flight_id UUID,
    captured_at TIMESTAMP WITH TIME ZONE,
    captured_until TIMESTAMP WITH TIME ZONE,
    footprint geometry(POLYGON,4326),
    crs TEXT NOT NULL,
    gsd_m DOUBLE PRECISION,
    position_error_m DOUBLE PRECISION,
    header JSONB NOT NULL,
    frame_hashes JSONB NOT NULL,
    quarantine JSONB,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_scene PRIMARY KEY (id),
    CONSTRAINT uq_scene_sha256 UNIQUE (sha256),
    CONSTRAINT fk_scene_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_scene_flight_id_flight FOREIGN KEY(flight_id) REFERENCES core.flight (id),
    CONSTRAINT uq_scene_public_id UNIQUE (public_id)
);
CREATE INDEX ix_scene_flight_id ON core.scene (flight_id);
CREATE INDEX gist_scene_footprint ON core.scene USING gist (footprint);

CREATE TABLE core.telemetry_point (
    id BIGSERIAL NOT NULL,
    flight_id UUID NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    boot_ms BIGINT NOT NULL,
    geom geometry(POINT,4326) NOT NULL,
    alt_rel_home_m DOUBLE PRECISION NOT NULL,
    alt_amsl_m DOUBLE PRECISION NOT NULL,
    heading_deg DOUBLE PRECISION,
    ground_speed_m_s DOUBLE PRECISION,
    battery_pct INTEGER,
    implausible BOOLEAN NOT NULL,
    CONSTRAINT pk_telemetry_point PRIMARY KEY (id),
    CONSTRAINT fk_telemetry_point_flight_id_flight FOREIGN KEY(flight_id) REFERENCES core.flight (id)
);
CREATE INDEX ix_telemetry_point_flight_received_at ON core.telemetry_point (flight_id, received_at);
CREATE INDEX gist_telemetry_point_geom ON core.telemetry_point USING gist (geom);

CREATE TABLE core.derivative (
    scene_id UUID NOT NULL,
    sha256 TEXT NOT NULL,
    zone_hash TEXT NOT NULL,
    zone_ids JSONB NOT NULL,
    masked_pixels BIGINT NOT NULL,
    surviving_pixels BIGINT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    bands INTEGER NOT NULL,
    band_roles JSONB NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_derivative PRIMARY KEY (id),
    CONSTRAINT fk_derivative_scene_id_scene FOREIGN KEY(scene_id) REFERENCES core.scene (id),
    CONSTRAINT uq_derivative_public_id UNIQUE (public_id)
);
CREATE INDEX ix_derivative_scene_id ON core.derivative (scene_id);

CREATE TABLE core.segmentation_run (
    derivative_id UUID NOT NULL,
    before_derivative_id UUID,
    engine TEXT NOT NULL,
    engine_version TEXT NOT NULL,
    parameters_sha256 TEXT NOT NULL,
    rules_sha256 TEXT NOT NULL,
    labels_sha256 TEXT NOT NULL,
    coverage JSONB NOT NULL,
    refused_kinds JSONB NOT NULL,
    runtime_s DOUBLE PRECISION NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_segmentation_run PRIMARY KEY (id),
    CONSTRAINT fk_segmentation_run_derivative_id_derivative FOREIGN KEY(derivative_id) REFERENCES core.derivative (id),
    CONSTRAINT fk_segmentation_run_before_derivative_id_derivative FOREIGN KEY(before_derivative_id) REFERENCES core.derivative (id),
    CONSTRAINT uq_segmentation_run_public_id UNIQUE (public_id)
);
CREATE INDEX ix_segmentation_run_derivative_id ON core.segmentation_run (derivative_id);

CREATE TABLE core.detection (
    run_id UUID NOT NULL,
    ordinal INTEGER NOT NULL,
    scene_id UUID NOT NULL,
    authority_id UUID NOT NULL,
    item_id UUID,
    kind TEXT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    area_m2 DOUBLE PRECISION NOT NULL,
    geom geometry(POLYGON,4326) NOT NULL,
    rule_trace JSONB NOT NULL,
    context JSONB NOT NULL,
    provenance JSONB NOT NULL,
    formed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    assigned_to UUID,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    reason TEXT,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    origin VARCHAR(6) NOT NULL,
    CONSTRAINT pk_detection PRIMARY KEY (id),
    CONSTRAINT uq_detection_run_id_ordinal UNIQUE (run_id, ordinal),
    CONSTRAINT fk_detection_run_id_segmentation_run FOREIGN KEY(run_id) REFERENCES core.segmentation_run (id),
    CONSTRAINT fk_detection_scene_id_scene FOREIGN KEY(scene_id) REFERENCES core.scene (id),
    CONSTRAINT fk_detection_authority_id_authority FOREIGN KEY(authority_id) REFERENCES core.authority (id),
    CONSTRAINT fk_detection_item_id_supervision_item FOREIGN KEY(item_id) REFERENCES core.supervision_item (id),
    CONSTRAINT fk_detection_assigned_to_person FOREIGN KEY(assigned_to) REFERENCES core.person (id),
    CONSTRAINT fk_detection_decided_by_person FOREIGN KEY(decided_by) REFERENCES core.person (id),
    CONSTRAINT uq_detection_public_id UNIQUE (public_id)
);
CREATE INDEX ix_detection_authority_id ON core.detection (authority_id);
CREATE INDEX ix_detection_run_id ON core.detection (run_id);
CREATE INDEX ix_detection_scene_id ON core.detection (scene_id);
CREATE INDEX gist_detection_geom ON core.detection USING gist (geom);
