-- How wrong a place in an image can be is known of every scene that is used, and is a number.
ALTER TABLE core.scene
    ADD CONSTRAINT ck_scene_position_error_m CHECK (position_error_m >= 0 AND position_error_m < 'Infinity'),
    ADD CONSTRAINT ck_scene_gsd_m CHECK (gsd_m > 0 AND gsd_m < 'Infinity'),
    ADD CONSTRAINT ck_scene_size_bytes CHECK (size_bytes >= 0);
