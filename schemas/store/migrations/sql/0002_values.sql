-- Numbers are finite and in range. NaN counts as greater than every number, so BETWEEN refuses it too.
-- What a draft may still say wrongly, such as a band upside down, is for the guards to tell, all at once.

ALTER TABLE core.device
    ADD CONSTRAINT "rule__DC-4__device_sector_azimuth_deg" CHECK (sector_azimuth_deg BETWEEN 0 AND 360),
    ADD CONSTRAINT "rule__DC-4__device_hfov_deg" CHECK (hfov_deg > 0 AND hfov_deg <= 360),
    ADD CONSTRAINT "rule__DC-4__device_range_m" CHECK (range_m > 0 AND range_m <= 1000000);
ALTER TABLE core.drone
    ADD CONSTRAINT "rule__DC-4__drone_mavlink_system_id" CHECK (mavlink_system_id BETWEEN 1 AND 255),
    ADD CONSTRAINT "rule__DC-4__drone_camera_hfov_deg" CHECK (camera_hfov_deg > 0 AND camera_hfov_deg < 180),
    ADD CONSTRAINT "rule__DC-4__drone_camera_image" CHECK (camera_image_width_px > 0 AND camera_image_height_px > 0),
    ADD CONSTRAINT "rule__DC-4__drone_cruise_speed_m_s" CHECK (cruise_speed_m_s > 0 AND cruise_speed_m_s <= 200),
    ADD CONSTRAINT "rule__DC-4__drone_default_alt_agl_m" CHECK (default_alt_agl_m > 0 AND default_alt_agl_m <= 20000),
    ADD CONSTRAINT "rule__DC-4__drone_max_takeoff_mass_kg" CHECK (max_takeoff_mass_kg > 0 AND max_takeoff_mass_kg <= 100000);
ALTER TABLE core.patrol_area
    ADD CONSTRAINT "rule__DC-4__patrol_area_height_band" CHECK (
        alt_min_agl_m BETWEEN 0 AND 20000 AND alt_max_agl_m BETWEEN 0 AND 20000);
ALTER TABLE core.patrol_route
    ADD CONSTRAINT "rule__DC-4__patrol_route_route_version" CHECK (route_version > 0),
    ADD CONSTRAINT "rule__DC-4__patrol_route_alt_agl_m" CHECK (alt_agl_m > 0 AND alt_agl_m <= 20000),
    ADD CONSTRAINT "rule__DC-4__patrol_route_camera_hfov_deg" CHECK (camera_hfov_deg > 0 AND camera_hfov_deg < 180),
    ADD CONSTRAINT "rule__DC-4__patrol_route_home_amsl_m" CHECK (home_amsl_m BETWEEN -1000 AND 10000),
    ADD CONSTRAINT "rule__DC-4__patrol_route_speed_m_s" CHECK (speed_m_s > 0 AND speed_m_s <= 200),
    ADD CONSTRAINT "rule__DC-4__patrol_route_trigger_distance_m" CHECK (trigger_distance_m BETWEEN 0 AND 100000);
ALTER TABLE core.airspace_clearance
    ADD CONSTRAINT "rule__DC-4__airspace_clearance_alt_max_agl_m" CHECK (alt_max_agl_m BETWEEN 0 AND 20000),
    ADD CONSTRAINT "rule__DC-4__airspace_clearance_valid" CHECK (
        isfinite(valid_from) AND isfinite(valid_to) AND valid_from < valid_to);
ALTER TABLE core.privacy_zone
    ADD CONSTRAINT "rule__DC-4__privacy_zone_valid" CHECK (isfinite(valid_from) AND isfinite(valid_to));
ALTER TABLE core.inspection_plan
    ADD CONSTRAINT "rule__DC-4__inspection_plan_valid" CHECK (isfinite(valid_from) AND isfinite(valid_to));
ALTER TABLE core.qualification
    ADD CONSTRAINT "rule__DC-4__qualification_valid" CHECK (
        isfinite(valid_from) AND isfinite(valid_to) AND valid_from <= valid_to);
ALTER TABLE core.role_assignment
    ADD CONSTRAINT "rule__DC-4__role_assignment_valid" CHECK (
        isfinite(valid_from) AND isfinite(valid_to) AND valid_from <= valid_to);
ALTER TABLE core.publication
    ADD CONSTRAINT "rule__DC-4__publication_published_at" CHECK (isfinite(published_at) AND isfinite(withdrawn_at));
ALTER TABLE core.flight
    ADD CONSTRAINT "rule__DC-4__flight_deviation" CHECK (
        deviation_lateral_m >= 0 AND deviation_lateral_m < 'Infinity'
        AND abs(deviation_vertical_m) < 'Infinity'),
    ADD CONSTRAINT "rule__DC-4__flight_times" CHECK (isfinite(airborne_at) AND isfinite(landed_at));
ALTER TABLE core.flight_frame
    ADD CONSTRAINT "rule__DC-4__flight_frame_numbers" CHECK (
        abs(alt_agl_m) < 'Infinity' AND heading_deg BETWEEN 0 AND 360);
ALTER TABLE core.telemetry_point
    ADD CONSTRAINT "rule__DC-4__telemetry_point_numbers" CHECK (
        abs(alt_rel_home_m) < 'Infinity' AND abs(alt_amsl_m) < 'Infinity'
        AND abs(heading_deg) < 'Infinity' AND abs(ground_speed_m_s) < 'Infinity');
ALTER TABLE core.scene
    ADD CONSTRAINT "rule__DC-4__scene_numbers" CHECK (
        size_bytes >= 0 AND gsd_m > 0 AND gsd_m < 'Infinity'
        AND position_error_m >= 0 AND position_error_m < 'Infinity');
ALTER TABLE core.derivative
    ADD CONSTRAINT "rule__DC-4__derivative_numbers" CHECK (
        masked_pixels >= 0 AND width > 0 AND height > 0 AND bands > 0);
ALTER TABLE core.segmentation_run
    ADD CONSTRAINT "rule__DC-4__segmentation_run_runtime_s" CHECK (runtime_s >= 0 AND runtime_s < 'Infinity');
ALTER TABLE core.detection
    ADD CONSTRAINT "rule__DC-4__detection_numbers" CHECK (
        score BETWEEN 0 AND 1 AND area_m2 > 0 AND area_m2 < 'Infinity');
